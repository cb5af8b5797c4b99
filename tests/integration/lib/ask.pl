#!/usr/bin/perl
# One SIP request over UDP and its answer. Only what perl-base has.
#
#	ask.pl SRC:PORT DST:PORT METHOD USER NUMBER [HEADER ...]
#
# From USER about NUMBER, both at DST. Prints the final answer; exit 1 when
# none comes within two seconds.
use strict;
use warnings;
use IO::Socket::INET;

my ($src, $dst, $method, $user, $number, @headers) = @ARGV;
my ($sip, $sport) = split /:/, $src;
my ($host) = split /:/, $dst;
my $id = $$ . time;
my $to = grep(/^To:/, @headers) ? '' : "To: <sip:$number\@$host>\r\n";
my $text = "$method sip:$number\@$host SIP/2.0\r\n" .
	"Via: SIP/2.0/UDP $src;branch=z9hG4bK$id;rport\r\n" .
	"Max-Forwards: 70\r\nFrom: <sip:$user\@$host>;tag=$id\r\n$to" .
	"Call-ID: $id\r\nCSeq: 1 $method\r\nContact: <sip:$user\@$src>\r\n" .
	join('', map { "$_\r\n" } @headers) . "Content-Length: 0\r\n\r\n";
my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $sip,
	LocalPort => $sport, PeerAddr => $dst, ReuseAddr => 1)
	or die "socket: $!\n";
$s->send($text) or die "send: $!\n";
my $end = time + 2;
while (time <= $end) {
	my $bits = '';
	vec($bits, fileno($s), 1) = 1;
	next unless select($bits, undef, undef, 0.5);
	defined $s->recv(my $answer, 65535) or next;
	next if $answer =~ m{^SIP/2\.0 1};
	print $answer;
	exit 0;
}
exit 1;
