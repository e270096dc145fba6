// rust.rs - threads, panics (unwinding and aborting), stack overflow in its
// guard page, thread locals with destructors, channels, children.
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::{mpsc, Arc, Condvar, Mutex, RwLock};
use std::thread;
use std::time::Duration;

struct Counted(Arc<Mutex<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        let text: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        *self.0.lock().unwrap() += text.len() as u32;
    }
}

thread_local! {
    static KEPT: RefCell<Option<Counted>> = RefCell::new(None);
}

fn recurse(n: u64) -> u64 {
    let data = [n; 64];
    let kept = unsafe { std::ptr::read_volatile(&data[n as usize % 64]) };
    if n == u64::MAX { 0 } else { recurse(n + 1) + kept }
}

fn end(how: &str) {
    let mut map = HashMap::new();
    for n in 0..1000 {
        map.insert(n, n.to_string());
    }
    println!("{} in the child", map.len());
    match how {
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        "panic" => panic!("on purpose"),
        "overflow" => println!("{}", recurse(0)),
        "thread_overflow" => { let _ = thread::spawn(|| recurse(0)).join(); }
        "null" => unsafe { std::ptr::null_mut::<u32>().write_volatile(1) },
        "double" => {
            struct Bomb;
            impl Drop for Bomb { fn drop(&mut self) { panic!("second") } }
            let _bomb = Bomb;
            panic!("first");
        }
        _ => (),
    }
}

fn threads() {
    let total = Arc::new(Mutex::new(0));
    let handles: Vec<_> = (0..50).map(|n| {
        let total = total.clone();
        thread::Builder::new().stack_size(64 << 10).spawn(move || {
            KEPT.with(|k| *k.borrow_mut() = Some(Counted(total)));
            let v: Vec<String> = (0..200).map(|i| format!("{}", i * n)).collect();
            v.iter().map(|s| s.len()).sum::<usize>()
        }).unwrap()
    }).collect();
    let lengths: usize = handles.into_iter().map(|h| h.join().unwrap()).sum();
    println!("threads {} {}", lengths, total.lock().unwrap());

    let (to, from) = mpsc::channel();
    for n in 0..8 {
        let to = to.clone();
        thread::spawn(move || for i in 0..500 { to.send(n * i).unwrap() });
    }
    drop(to);
    println!("sent {}", from.iter().sum::<u64>());

    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let table = Arc::new(RwLock::new(HashMap::new()));
    let hands: Vec<_> = (0..8).map(|n| {
        let (pair, table) = (pair.clone(), table.clone());
        thread::spawn(move || {
            for i in 0..100 {
                table.write().unwrap().insert(n * 1000 + i, vec![n; 10]);
                let _ = table.read().unwrap().len();
            }
            *pair.0.lock().unwrap() += 1;
            pair.1.notify_all();
        })
    }).collect();
    let mut done = pair.0.lock().unwrap();
    while *done < 8 {
        done = pair.1.wait_timeout(done, Duration::from_secs(5)).unwrap().0;
    }
    drop(done);
    hands.into_iter().for_each(|h| h.join().unwrap());
    println!("table {}", table.read().unwrap().len());
    thread::scope(|s| { s.spawn(|| println!("scoped")); });
}

fn panics() {
    std::panic::set_hook(Box::new(|_| ()));
    let caught = (0..500).filter(|n| std::panic::catch_unwind(|| {
        if n % 2 == 0 { panic!("{}", n) }
    }).is_err()).count();
    let joined = (0..20).filter(|_| thread::spawn(|| panic!("thread")).join()
        .is_err()).count();
    println!("caught {} joined {}", caught, joined);
    let _ = std::panic::take_hook();
}

fn children() {
    let me = std::env::current_exe().unwrap();
    for how in ["exit", "abort", "panic", "overflow", "thread_overflow", "null",
                "double", "return"] {
        let d = Command::new(&me).arg(how).output().unwrap();
        println!("{}: {:?} {:?} {}{}", how, d.status.code(), d.status.signal(),
            String::from_utf8_lossy(&d.stdout), String::from_utf8_lossy(&d.stderr));
    }
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped())
        .spawn().unwrap();
    cat.stdin.take().unwrap().write_all(&vec![b'x'; 60000]).unwrap();
    println!("{}", cat.wait_with_output().unwrap().stdout.len());
}

fn main() {
    if let Some(how) = std::env::args().nth(1) {
        return end(&how);
    }
    threads();
    panics();
    children();
}
