// cgo.go - Go with cgo under a preloaded library: threads that C made, signals
// on Go's own alternate stacks, panics from faults, many goroutines, children.
package main

/*
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern int called_back(int n);
static void *in_thread(void *arg) { return (void *)(long)called_back((long)arg); }
static int from_threads(int n)
{
	pthread_t t[16];
	void *ret;
	long sum = 0;
	for (long i = 0; i < n; i++)
		pthread_create(&t[i], NULL, in_thread, (void *)i);
	for (int i = 0; i < n; i++) {
		pthread_join(t[i], &ret);
		sum += (long)ret;
	}
	return sum;
}
static int churn(int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++) {
		char *p = malloc(100 + i % 1000);
		memset(p, i, 100);
		sum += p[50];
		free(p);
	}
	return sum;
}
static int fault(int *p) { return *p; }
static int blocked(void)
{
	sigset_t s;
	int n = 0;
	pthread_sigmask(SIG_SETMASK, NULL, &s);
	for (int i = 1; i < 65; i++)
		n += sigismember(&s, i) == 1;
	return n;
}
*/
import "C"

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sort"
	"sync"
	"syscall"
	"time"
)

//export called_back
func called_back(n C.int) C.int {
	s := make([]int, 1000)
	for i := range s {
		s[i] = i * int(n)
	}
	runtime.Gosched()
	return C.int(s[999])
}

func recovered(what string, f func()) {
	defer func() { fmt.Println(what, "->", recover()) }()
	f()
}

func faults() {
	var p *int
	var s []int
	var zero int
	recovered("nil", func() { fmt.Println(*p) })
	recovered("index", func() { fmt.Println(s[len(os.Args)]) })
	recovered("division", func() { fmt.Println(1 / zero) })
	for i := 0; i < 1000; i++ {
		func() {
			defer func() { recover() }()
			*p = i
		}()
	}
}

func goroutines() {
	var wait sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for i := 0; i < 200; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			n := int(C.churn(C.int(200 + i)))
			garbage := make([][]byte, 50)
			for k := range garbage {
				garbage[k] = make([]byte, 1000*k)
			}
			lock.Lock()
			total += n + len(garbage)
			lock.Unlock()
		}(i)
	}
	wait.Wait()
	fmt.Println("goroutines", total)
	// Preemption by SIGURG of a loop that calls nothing.
	done := make(chan bool)
	go func() {
		for x := 0; x < 3e8; x++ {
		}
		done <- true
	}()
	runtime.GC()
	fmt.Println("preempted", <-done)
}

func signals() {
	c := make(chan os.Signal, 100)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP,
		syscall.SIGTERM)
	names := []string{}
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGHUP, syscall.SIGTERM} {
		syscall.Kill(os.Getpid(), s)
		names = append(names, (<-c).String())
	}
	sort.Strings(names)
	fmt.Println(names)
	signal.Reset()
	fmt.Println("blocked in C:", C.blocked())
}

func profiled() {
	f, _ := os.Create("go.pprof")
	pprof.StartCPUProfile(f)
	end := time.Now().Add(300 * time.Millisecond)
	for time.Now().Before(end) {
		C.churn(1000)
	}
	pprof.StopCPUProfile()
	size, _ := f.Seek(0, 1)
	fmt.Println("Go's own profile:", size > 300)
}

func children() {
	for _, how := range []string{"exit", "panic", "fault", "cfault", "TERM",
		"ABRT", "QUIT", "overflow"} {
		out, err := exec.Command(os.Args[0], how).Output()
		text := ""
		if e, ok := err.(*exec.ExitError); ok {
			text = fmt.Sprint(e.Sys().(syscall.WaitStatus).Signaled(),
				len(e.Stderr) > 0)
		}
		fmt.Println(how, err, string(out), text)
	}
	for i := 0; i < 20; i++ {
		if err := exec.Command("true").Run(); err != nil {
			fmt.Println(err)
		}
	}
}

func end(how string) {
	fmt.Print("child ", C.churn(1000))
	switch how {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("on purpose")
	case "fault":
		var p *int
		*p = 1
	case "cfault":
		C.fault(nil)
	case "TERM":
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
	case "ABRT":
		syscall.Kill(os.Getpid(), syscall.SIGABRT)
	case "QUIT":
		syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	case "overflow":
		var f func(n int) int
		f = func(n int) int { return f(n+1) + 1 }
		f(0)
	}
	time.Sleep(10 * time.Second)
}

func main() {
	if len(os.Args) > 1 {
		end(os.Args[1])
	}
	faults()
	fmt.Println("from C's threads", C.from_threads(16))
	goroutines()
	signals()
	profiled()
	children()
}
