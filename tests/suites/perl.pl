# perl.pl - fork, signals, alarm, pipes, sockets, exec, ithreads.
# SIGUSR2 without a handler asks the library for a profile: not used here.
use strict;
use warnings;
use threads;
use threads::shared;
use Errno qw(EINTR ECHILD);
use Fcntl;
use File::Temp qw(tempfile);
use IO::Select;
use IPC::Open3;
use POSIX qw(:signal_h :sys_wait_h);
use Socket;
use Time::HiRes qw(alarm sleep setitimer getitimer ITIMER_REAL ITIMER_PROF
    ITIMER_VIRTUAL);

$| = 1;

sub spin {
	my $sum = 0;
	$sum += length "x" x ($_ % 97) for 1 .. shift;
	return $sum;
}

sub status { sprintf "exit %d signal %d core %d", $? >> 8, $? & 127, $? >> 7 & 1 }

# How children end.
for my $sig (qw(HUP INT QUIT ILL ABRT FPE KILL USR1 SEGV PIPE ALRM TERM)) {
	my $pid = fork // die;
	if (!$pid) {
		spin(2000);
		kill $sig, $$;
		sleep 10;
		exit 1;
	}
	waitpid $pid, 0;
	$? &= 127;    # whether cores are written is the machine's matter
	print "$sig: ", status, "\n";
}
for my $how (sub { exit 3 }, sub { POSIX::_exit(4) }, sub { die "dies\n" },
	sub { exec "sh", "-c", "exit 5" }, sub { exec "/nonexistent" or exit 6 },
	sub { spin(100000); exec {"/bin/sh"} "sh", "-c", "kill -9 \$\$" }) {
	my $pid = fork // die;
	if (!$pid) { no warnings; $how->(); }
	waitpid $pid, 0;
	print status, "\n";
}

# Handlers, masks, pending signals.
my %seen;
$SIG{$_} = sub { $seen{ $_[0] }++ } for qw(USR1 USR2 CHLD ALRM PROF VTALRM HUP);
kill $_, $$ for qw(USR1 USR2 HUP);
print join(",", map { "$_=$seen{$_}" } sort keys %seen), "\n";
my $all = POSIX::SigSet->new; $all->fillset;
my $old = POSIX::SigSet->new;
sigprocmask(SIG_SETMASK, $all, $old) or die;
kill USR1 => $$;
my $pending = POSIX::SigSet->new;
sigpending($pending);
print "pending: ", join(",", grep { $pending->ismember($_) } 1 .. 64), "\n";
print "before: $seen{USR1}\n";
sigprocmask(SIG_SETMASK, $old);
print "after: $seen{USR1}\n";
my $now = POSIX::SigSet->new;
sigprocmask(SIG_BLOCK, POSIX::SigSet->new, $now);
print "blocked: ", join(",", grep { $now->ismember($_) } 1 .. 64), "\n";
for my $n (1 .. 31) {
	my $act = POSIX::SigAction->new;
	sigaction($n, undef, $act) or next;
	my $h = $act->handler;
	print "signal $n: ", ref $h ? "handled" : $h, " ", $act->flags, "\n";
}

# Timers: a signal in sleep, in a computation, in a system call.
$SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 0.05; sleep 10; };                           print "sleep: $@";
eval { alarm 0.05; 1 while 1; };                          print "loop: $@";
pipe my $r, my $w or die;
eval { alarm 0.05; sysread $r, my $byte, 1; };            print "read: $@";
my $n = 0;
{
	local $SIG{PROF} = sub { $n++ };
	setitimer(ITIMER_PROF, 0.01, 0.01);
	spin(1000) while $n < 5;
	setitimer(ITIMER_PROF, 0);
	my @left = getitimer(ITIMER_PROF);
	print "five ticks, then $left[0]\n";
}
{
	my $slept = 0;
	local $SIG{ALRM} = sub { $slept++ };
	setitimer(ITIMER_REAL, 0.01, 0.01);
	while ($slept < 5) { select undef, undef, undef, 1; }
	setitimer(ITIMER_REAL, 0);
	my $count = select undef, undef, undef, 0.05;
	print "interrupted five times: $count\n";
}

# Many children at once, reaped in the handler.
my %alive; my $reaped = 0;
$SIG{CHLD} = sub {
	while ((my $pid = waitpid -1, WNOHANG) > 0) { $reaped++; delete $alive{$pid} }
};
for my $i (1 .. 50) {
	my $pid = fork // die;
	if (!$pid) { spin(100 * $i); POSIX::_exit($i) }
	$alive{$pid} = 1;
}
sleep 0.01 while $reaped < 50;
print "reaped $reaped; then ", waitpid(-1, 0), " ", $! == ECHILD ? "none" : $!, "\n";
$SIG{CHLD} = "IGNORE";
system "true";
print "nobody waits: $?\n";
$SIG{CHLD} = "DEFAULT";

# Pipes and commands.
open my $sorted, "-|", "seq 3000 | sort -rn | head -n 3" or die;
print map { "> $_" } <$sorted>;
close $sorted; print status, "\n";
open my $to, "|-", "cat; exit 9" or die;
print $to "to a child\n"; close $to; print status, "\n";
my $pid = open3(my $in, my $out, undef, "sh", "-c", "cat; echo err >&2; kill -TERM \$\$");
print $in "three ways\n"; close $in; print <$out>; waitpid $pid, 0; print status, "\n";
print `echo quoted; exit 2`, status, "\n";
{
	local $SIG{PIPE} = sub { print "SIGPIPE\n" };
	pipe my $x, my $y or die; close $x;
	syswrite $y, "nobody reads"; print "$!\n";
}

# Sockets between processes.
socketpair my $left, my $right, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
if (!fork) {
	close $left;
	while (sysread $right, my $text, 100) { syswrite $right, uc $text }
	POSIX::_exit(0);
}
close $right;
for (1 .. 500) { syswrite $left, "ping $_ "; sysread $left, my $text, 100; $n = $text }
print "$n\n"; close $left; wait; print status, "\n";

# Descriptors: the lowest free one is what it always was.
open my $null, "<", "/dev/null" or die; print "descriptor ", fileno $null, "\n";
my ($fh, $name) = tempfile(DIR => "."); print $fh "x" x 100000; close $fh;
print -s $name, "\n"; truncate $name, 5; print -s $name, "\n"; unlink $name;

# Threads.
my $shared :shared = 0;
my @threads = map { threads->create(sub {
	for (1 .. 200) { lock $shared; $shared++ }
	return spin(20000);
}) } 1 .. 4;
print join(",", map { $_->join } @threads), " $shared\n";
threads->create(sub { threads->exit })->join for 1 .. 20;
my $stop :shared = 0;
my $t = threads->create(sub { sleep 0.01 until $stop; return "stopped" });
$stop = 1;
print $t->join, "\n";

# The end: END blocks, destructors, status.
sub Last::DESTROY { print "destroyed\n" }
our $last = bless {}, "Last";
END { print "at the end: $?\n"; $? = 42 }
exit 7;
