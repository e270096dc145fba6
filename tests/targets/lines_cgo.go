// lines_cgo.go - Go that calls C; the lines marked HOT use most of the time.
package main

/*
static unsigned step(unsigned x)
{
	return x * 1664525u + 1013904223u;
}

__attribute__((noinline)) unsigned in_c(unsigned n)
{
	unsigned x = n;

	for (unsigned i = 0; i < n; i++)
		x = step(x) ^ (x >> 7); // HOT
	return x;
}
*/
import "C"

import "fmt"

//go:noinline
func inGo(n int) int {
	x := n
	for i := 0; i < n; i++ {
		x = x*7 + i // HOT
	}
	return x
}

func main() {
	sum := 0
	for i := 0; i < 30; i++ {
		sum += int(C.in_c(10000000)) + inGo(10000000)
	}
	fmt.Println(sum != 0)
}
