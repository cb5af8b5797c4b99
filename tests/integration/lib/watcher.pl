#!/usr/bin/perl
# A phone that watches somebody: it registers over TLS with its certificate,
# subscribes, answers NOTIFYs of its dialog (others: 481), and registers anew
# over a new connection when it has lost the old one. Only what perl-base has,
# and openssl(1).
#
#	watcher.pl HOST:PORT CERT KEY CA USER NUMBER
#
# stdin: "refresh", "end" (SUBSCRIBE again, or with Expires 0). It prints
# "registered", "subscribed STATUS", "notified STATE", "lost".
use strict;
use warnings;
use IPC::Open2;

$| = 1;
$SIG{PIPE} = 'IGNORE';
my ($at, $cert, $key, $ca, $user, $number) = @ARGV;
my ($host) = split /:/, $at;
my ($in, $out, $pid, $bytes);
my ($cseq, $branch, $from, $call_id) = (0, 0, "w$$", "watch-$$");
my ($to, $target) = ("<sip:$number\@$host>", "sip:$number\@$host");
my $contact = "<sip:$user\@192.0.2.99:5999;transport=tls>";

sub connect_tls {
	open(STDERR, '>', '/dev/null');
	$pid = open2($out, $in, 'openssl', 's_client', '-quiet', '-connect', $at,
		'-cert', $cert, '-key', $key, '-CAfile', $ca,
		'-verify_return_error');
	$bytes = '';
}

sub say_it {
	my ($first, @lines) = @_;
	syswrite($in, join("\r\n", $first, @lines, 'Content-Length: 0', '', ''));
}

sub request {
	my ($method, $uri, $id, $f, $t, @lines) = @_;
	$branch++;
	say_it("$method $uri SIP/2.0",
		"Via: SIP/2.0/TLS $host:5999;branch=z9hG4bK$$-$branch;rport",
		'Max-Forwards: 70', "From: <sip:$user\@$host>;tag=$f", "To: $t",
		"Call-ID: $id", "CSeq: " . ++$cseq . " $method",
		"Contact: $contact", @lines);
}

sub register {
	request('REGISTER', "sip:$host", "reg-$$", "r$$", "<sip:$user\@$host>",
		'Expires: 600');
}

sub subscribe {
	request('SUBSCRIBE', $target, $call_id, $from, $to, 'Event: presence',
		'Accept: application/pidf+xml', "Expires: $_[0]");
}

sub header {
	my ($m, $name) = @_;
	return join ', ', $m =~ /^\Q$name\E:\s*(.*?)\s*$/mig;
}

# What a message says
sub got {
	my ($m) = @_;
	if ($m =~ m{^SIP/2\.0 (\d+)}) {
		my $status = $1;
		return if $status < 200;
		if (header($m, 'CSeq') =~ /REGISTER/) {
			print "registered\n" if $status == 200;
			subscribe(600) if $to !~ /;tag=/;
		}
		return if header($m, 'CSeq') !~ /SUBSCRIBE/;
		if ($status < 300) {
			$to = header($m, 'To');
			($target) = header($m, 'Contact') =~ /<([^>]*)>/;
		}
		print "subscribed $status\n";
		return;
	}
	my ($method) = $m =~ /^(\S+)/;
	my ($theirs) = header($m, 'From') =~ /;tag=([^;]*)/;
	my ($known) = $to =~ /;tag=([^;]*)/;
	my $is_ours = header($m, 'Call-ID') eq $call_id &&
		header($m, 'To') =~ /;tag=\Q$from\E$/ &&
		(!defined $known || $known eq $theirs);
	my $is_good = $method eq 'NOTIFY' && $is_ours;
	say_it('SIP/2.0 ' . ($is_good ? '200 OK' : '481 No Such Dialog'),
		map { "$_: " . header($m, $_) } qw(Via From To Call-ID CSeq));
	print 'notified ' . header($m, 'Subscription-State') . "\n" if $is_good;
}

# All messages that are there in full
sub cut {
	while ($bytes =~ /^(.*?\r\n)\r\n/s) {
		my $head = $1;
		my ($len) = $head =~ /^Content-Length:\s*(\d+)/mi;
		my $total = length($head) + 2 + ($len // 0);
		return if length($bytes) < $total;
		got($head);
		substr($bytes, 0, $total) = '';
	}
}

connect_tls();
register();
while (1) {
	my $bits = '';
	vec($bits, fileno($out), 1) = 1;
	vec($bits, fileno(STDIN), 1) = 1;
	select($bits, undef, undef, 1);
	if (vec($bits, fileno(STDIN), 1)) {
		sysread(STDIN, my $line, 1000) or exit 0;
		subscribe(600) if $line =~ /refresh/;
		subscribe(0) if $line =~ /end/;
	}
	next unless vec($bits, fileno($out), 1);
	if (sysread($out, $bytes, 65536, length $bytes)) {
		cut();
		next;
	}
	waitpid($pid, 0);
	print "lost\n";
	select(undef, undef, undef, 0.3);
	connect_tls();
	register();
}
