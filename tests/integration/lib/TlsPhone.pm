# What the phones written for tests have in common: SIP over TLS with a
# certificate, by openssl(1), and a new connection when the old one is lost. Only
# what perl-base has.
#
#	my $p = TlsPhone->new(at => 'HOST:PORT', cert => ..., key => ..., ca => ...,
#		up => sub {...}, got => sub { my ($head, $body) = @_; ... },
#		command => sub { my ($line) = @_; ... });
#	$p->run();
#
# up: there is a connection. got: a message. command: a line of stdin, whose end
# ends the program. It prints "lost" when a connection is.
package TlsPhone;
use strict;
use warnings;
use IPC::Open2;

sub new {
	my ($class, %p) = @_;
	my $s = bless {%p, bytes => '', branch => 0, lines => ''}, $class;
	($s->{host}) = split /:/, $s->{at};
	return $s;
}

sub connect_tls {
	my ($s) = @_;
	open(STDERR, '>', '/dev/null');
	$s->{pid} = open2($s->{out}, $s->{in}, 'openssl', 's_client', '-quiet',
		'-connect', $s->{at}, '-cert', $s->{cert}, '-key', $s->{key},
		'-CAfile', $s->{ca}, '-verify_return_error');
	$s->{bytes} = '';
}

# say_it FIRST-LINE LINES [BODY]
sub say_it {
	my ($s, $first, $lines, $body) = @_;
	$body //= '';
	syswrite($s->{in}, join("\r\n", $first, @$lines,
		'Content-Length: ' . length($body), '', $body));
}

# The lines that every request has
sub request_head {
	my ($s, $method, $uri) = @_;
	$s->{branch}++;
	return ("$method $uri SIP/2.0",
		"Via: SIP/2.0/TLS $s->{host}:5999;branch=z9hG4bK$$-$s->{branch};rport",
		'Max-Forwards: 70');
}

sub header {
	my ($m, $name) = @_;
	return join ', ', $m =~ /^\Q$name\E:\s*(.*?)\s*$/mig;
}

# The lines that an answer repeats
sub answer_head {
	my ($m) = @_;
	return map { "$_: " . header($m, $_) } qw(Via From To Call-ID CSeq);
}

# All messages that are there in full
sub cut {
	my ($s) = @_;
	while ($s->{bytes} =~ /^(.*?\r\n)\r\n/s) {
		my $head = $1;
		my ($len) = $head =~ /^Content-Length:\s*(\d+)/mi;
		my $total = length($head) + 2 + ($len // 0);
		return if length($s->{bytes}) < $total;
		my $body = substr($s->{bytes}, length($head) + 2, $len // 0);
		substr($s->{bytes}, 0, $total) = '';
		$s->{got}->($head, $body);
	}
}

sub commands {
	my ($s) = @_;
	sysread(STDIN, $s->{lines}, 1000, length $s->{lines}) or exit 0;
	$s->{command}->($1) while $s->{lines} =~ s/^(.*)\n//;
}

sub run {
	my ($s) = @_;
	$| = 1;
	$SIG{PIPE} = 'IGNORE';
	connect_tls($s);
	$s->{up}->();
	while (1) {
		my $bits = '';
		vec($bits, fileno($s->{out}), 1) = 1;
		vec($bits, fileno(STDIN), 1) = 1;
		select($bits, undef, undef, 1);
		commands($s) if vec($bits, fileno(STDIN), 1);
		next unless vec($bits, fileno($s->{out}), 1);
		if (sysread($s->{out}, $s->{bytes}, 65536, length $s->{bytes})) {
			cut($s);
			next;
		}
		waitpid($s->{pid}, 0);
		print "lost\n";
		select(undef, undef, undef, 0.3);
		connect_tls($s);
		$s->{up}->();
	}
}
1;
