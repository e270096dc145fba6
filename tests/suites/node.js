// node.js - workers, child processes, signals, zlib and crypto in the thread
// pool, async stacks, --cpu-prof beside our profile.
'use strict';
const { Worker, isMainThread, parentPort, workerData, threadId } =
	require('worker_threads');
const { execFileSync, spawn, spawnSync, fork } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const zlib = require('zlib');

function spin(n) {
	let s = 0;
	for (let i = 0; i < n; i++)
		s = (s * 31 + i) | 0;
	return s;
}

if (!isMainThread) {
	if (workerData === 'exit')
		process.exit(7);
	if (workerData === 'throw')
		throw new Error('thrown in a worker');
	if (workerData === 'forever')
		for (;;)
			spin(1000);
	parentPort.postMessage(spin(workerData));
	return;
}

if (process.argv[2] === 'child') {
	process.on('message', (m) => {
		process.send(m * 2);
		process.disconnect();
	});
	return;
}

if (process.argv[2] === 'signals') {
	for (const s of ['SIGUSR2', 'SIGHUP', 'SIGTERM', 'SIGWINCH'])
		process.on(s, () => console.log('got', s));
	for (const s of ['SIGUSR2', 'SIGHUP', 'SIGTERM', 'SIGWINCH'])
		process.kill(process.pid, s);
	setTimeout(() => process.removeAllListeners('SIGTERM') &&
		process.kill(process.pid, 'SIGTERM'), 50);
	setTimeout(() => {}, 100000);
	return;
}

function worker(data) {
	return new Promise((done) => {
		const w = new Worker(__filename, { workerData: data });
		const seen = [];
		w.on('message', (m) => seen.push(m));
		w.on('error', (e) => seen.push(e.message));
		w.on('online', () => data === 'forever' &&
			setTimeout(() => w.terminate(), 30));
		w.on('exit', (code) => done(`worker ${data}: ${seen} exit ${code}`));
	});
}

function child(command, ...args) {
	const d = spawnSync(command, args, { encoding: 'utf8' });
	return `${args}: ${d.status} ${d.signal} ${d.stdout}`;
}

async function main() {
	for (const line of await Promise.all([1e6, 2e6, 3e6, 'exit', 'throw',
			'forever'].map(worker)))
		console.log(line);
	const hashes = await Promise.all([1, 2, 3, 4, 5, 6].map((n) =>
		new Promise((done) => crypto.pbkdf2('x' + n, 'salt', 3000, 16, 'sha256',
			(e, key) => done(key.toString('hex'))))));
	console.log(hashes.join());
	const data = Buffer.alloc(1 << 20, 'some text to be packed ');
	const packed = await Promise.all([1, 6, 9].map((level) => new Promise(
		(done) => zlib.gzip(data, { level }, (e, z) => done(z.length)))));
	console.log('packed', packed.join());
	console.log(zlib.brotliDecompressSync(zlib.brotliCompressSync(
		data.subarray(0, 65536))).equals(data.subarray(0, 65536)));

	console.log(child('sh', '-c', 'exit 3'));
	console.log(child('sh', '-c', 'kill -TERM $$'));
	console.log(child('sh', '-c', 'kill -SEGV $$'));
	console.log(child(process.execPath, __filename, 'signals'));
	console.log(child(process.execPath, '-e', 'process.abort()').slice(-20));
	console.log(child(process.execPath, '-e', 'process.exitCode = 9'));
	console.log(child(process.execPath, '--stack-size=200', '-e',
		'f = () => f() + 1; try { f() } catch (e) { console.log(e.name) }'));
	const forked = fork(__filename, ['child']);
	forked.send(21);
	console.log('from a fork', await new Promise((done) =>
		forked.on('message', done)));
	const sleeper = spawn('sleep', ['100']);
	sleeper.kill('SIGINT');
	console.log('killed', await new Promise((done) =>
		sleeper.on('exit', (code, signal) => done(`${code} ${signal}`))));

	const server = net.createServer((c) => c.pipe(c)).listen(0, '127.0.0.1');
	await new Promise((done) => server.on('listening', done));
	const echo = await new Promise((done) => {
		const c = net.connect(server.address().port, '127.0.0.1');
		let got = 0;
		c.on('data', (d) => {
			got += d.length;
			if (got === data.length)
				c.end();
		});
		c.on('end', () => done(got));
		c.write(data);
	});
	server.close();
	console.log('echoed', echo);

	execFileSync(process.execPath, ['--cpu-prof', '--cpu-prof-name=v8.json',
		'--cpu-prof-interval=500', '-e', `${spin}; spin(1e8)`]);
	const profile = JSON.parse(fs.readFileSync('v8.json'));
	const hot = profile.nodes.find((n) => n.callFrame.functionName === 'spin');
	console.log('V8 saw spin:', hot && hot.hitCount > 10);
	console.log('done');
	process.exit(11);
}
main();
