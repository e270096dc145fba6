! lines_fortran.f90 - the same as lines.c in Fortran.
module shapes
  implicit none
contains
  subroutine outer(n, total)
    integer(8), intent(in) :: n
    integer(8), intent(out) :: total
    integer(8) :: i, k, x
    total = 0
    do i = 1, n
      x = i
      do k = 1, 200
        x = ieor(x * 31, x / 128) ! HOT
      end do
      total = total + x
    end do
  end subroutine
end module

program lines
  use shapes
  implicit none
  integer(8) :: total
  call outer(300000_8, total)
  print *, total
end program
