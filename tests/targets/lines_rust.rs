// lines_rust.rs - the same as lines.c in Rust.
mod shapes {
    pub struct Mixer {
        pub state: u64,
    }

    impl Mixer {
        #[inline(always)]
        pub fn innermost(&self, mut x: u64) -> u64 {
            for _ in 0..200 {
                x = x.wrapping_mul(31).wrapping_add(x >> 7); // HOT
            }
            x.wrapping_add(self.state)
        }
    }

    #[inline(never)]
    pub fn outer(m: &Mixer, n: u64) -> u64 {
        let mut sum = 0u64;
        for i in 0..n {
            sum = sum.wrapping_add(m.innermost(i)); // CALL
        }
        sum
    }
}

fn main() {
    let n = std::env::args().nth(1).map_or(1000000, |a| a.parse().unwrap());
    let m = shapes::Mixer { state: n };
    let sum = shapes::outer(&m, n);
    let mut list: Vec<u64> = (0..n / 3).map(|i| i.wrapping_mul(sum)).collect();
    list.sort_by_key(|x| x % 1000);
    println!("{}", list[0] != sum);
}
