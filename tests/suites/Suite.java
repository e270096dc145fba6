/*
 * Suite.java - what a JVM does with signals, threads, stacks and processes:
 * NullPointerException by SIGSEGV, StackOverflowError by a guard page, safepoints
 * by mprotect, SIGTERM by a handler, thread dumps by SIGQUIT, children.
 */
import java.io.File;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Suite {
	static int depth;
	static int[] nothing;

	static int recurse(int n) {
		depth++;
		return recurse(n + 1) + 1;
	}

	static void faults() {
		int caught = 0;
		for (int i = 0; i < 20000; i++) {
			try {
				caught += nothing[i];
			} catch (NullPointerException e) {
				caught++;
			}
		}
		System.out.println("null pointers: " + caught);
		for (int i = 0; i < 3; i++) {
			depth = 0;
			try {
				recurse(0);
			} catch (StackOverflowError e) {
				System.out.println("stack overflow: " + (depth > 1000));
			}
		}
		try {
			long[][] much = new long[1000][];
			for (int i = 0; i < much.length; i++)
				much[i] = new long[10 << 20];
		} catch (OutOfMemoryError e) {
			System.out.println("out of memory: " + e.getMessage());
		}
		try {
			System.out.println(1 / depth(0));
		} catch (ArithmeticException e) {
			System.out.println(e.getMessage());
		}
	}

	static int depth(int n) {
		return n;
	}

	static void overflowInThreads() throws Exception {
		List<Thread> threads = new ArrayList<>();
		AtomicLong seen = new AtomicLong();
		for (int i = 0; i < 8; i++) {
			Thread t = new Thread(null, () -> {
				try {
					recurse(0);
				} catch (StackOverflowError e) {
					seen.incrementAndGet();
				}
			}, "small", 256 << 10);
			t.start();
			threads.add(t);
		}
		for (Thread t : threads)
			t.join();
		System.out.println("threads that overflowed: " + seen.get());
	}

	static void threads() throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(8);
		List<Future<Long>> sums = new ArrayList<>();
		for (int i = 0; i < 40; i++) {
			int from = i;
			sums.add(pool.submit(() -> {
				long sum = 0;
				for (int k = 0; k < 2000; k++)
					sum += new String("x" + (from + k)).hashCode();
				return sum;
			}));
		}
		long total = 0;
		for (Future<Long> f : sums)
			total += f.get();
		pool.shutdown();
		System.out.println("tasks: " + total);
		System.out.println("stream: "
			+ LongStream.range(0, 2_000_000).parallel().map(n -> n * n % 7).sum());
		CountDownLatch ended = new CountDownLatch(200);
		for (int i = 0; i < 200; i++)
			new Thread(ended::countDown).start();
		ended.await();
		System.out.println("short threads: " + ended.getCount());
		Thread sleeper = new Thread(() -> {
			try {
				Thread.sleep(100000);
			} catch (InterruptedException e) {
				System.out.println("interrupted in sleep");
			}
			LockSupport.parkNanos(1000000);
		});
		sleeper.start();
		sleeper.interrupt();
		sleeper.join();
	}

	static void garbage() {
		long kept = 0;
		for (int round = 0; round < 20; round++) {
			byte[][] some = new byte[100][];
			for (int i = 0; i < some.length; i++)
				some[i] = new byte[100000];
			kept += some[round].length;
			if (round % 5 == 0)
				System.gc();
		}
		System.out.println("garbage: " + kept);
	}

	static void files() throws Exception {
		Path path = Path.of("mapped");
		try (FileChannel c = FileChannel.open(path, StandardOpenOption.CREATE,
				StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			MappedByteBuffer b = c.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 20);
			for (int i = 0; i < b.capacity(); i += 4)
				b.putInt(i, i * 31);
			b.force();
		}
		byte[] data = Files.readAllBytes(path);
		CRC32 crc = new CRC32();
		crc.update(data);
		Deflater d = new Deflater();
		d.setInput(data);
		d.finish();
		byte[] packed = new byte[2 << 20];
		int n = d.deflate(packed);
		Inflater u = new Inflater();
		u.setInput(packed, 0, n);
		int back = u.inflate(new byte[data.length]);
		System.out.println("file: " + crc.getValue() + " " + back);
	}

	static void children() throws Exception {
		for (String command : new String[] { "exit 3", "kill -TERM $$",
				"kill -SEGV $$", "echo out; echo err >&2" }) {
			Process p = new ProcessBuilder("sh", "-c", command)
				.redirectErrorStream(true).start();
			System.out.print(new String(p.getInputStream().readAllBytes()));
			System.out.println(command + ": " + p.waitFor());
		}
		Process p = new ProcessBuilder("sleep", "100").start();
		p.destroy();
		System.out.println("destroyed: " + p.waitFor());
		String java = System.getProperty("java.home") + "/bin/java";
		for (String end : new String[] { "exit", "halt", "throw", "TERM", "HUP",
				"INT", "QUIT" }) {
			Process j = new ProcessBuilder(java, "-Xshare:auto", "-Xmx64m",
				"-cp", System.getProperty("java.class.path"), "Suite", end)
				.redirectError(new File("err." + end)).start();
			if (Character.isUpperCase(end.charAt(0))) {
				j.getInputStream().read();
				new ProcessBuilder("kill", "-" + end, "" + j.pid()).start()
					.waitFor();
			}
			if (end.equals("QUIT")) {
				byte[] dump = j.getInputStream().readNBytes(100);
				System.out.println("thread dump: "
					+ new String(dump).contains("Full thread dump"));
				new ProcessBuilder("kill", "" + j.pid()).start().waitFor();
			}
			String rest = new String(j.getInputStream().readAllBytes());
			System.out.println(end + ": " + j.waitFor() + " "
				+ rest.contains("hook has run") + " "
				+ new File("err." + end).length());
		}
	}

	static void end(String how) throws Exception {
		Runtime.getRuntime().addShutdownHook(
			new Thread(() -> System.out.println("hook has run")));
		if (how.equals("exit"))
			System.exit(3);
		if (how.equals("halt"))
			Runtime.getRuntime().halt(4);
		if (how.equals("throw"))
			throw new Exception("thrown");
		System.out.println("ready");
		Thread.sleep(100000);
	}

	public static void main(String[] args) throws Exception {
		if (args.length > 0) {
			end(args[0]);
			return;
		}
		faults();
		overflowInThreads();
		threads();
		garbage();
		files();
		children();
	}
}
