#!/usr/bin/perl
# A phone in one call at most: it registers over TLS with its certificate, calls
# and is called with SDES, and comes back over a new connection when it has lost
# the old one (TlsPhone.pm). It sends no media.
#
#	phone.pl HOST:PORT CERT KEY CA USER ADDRESS
#
# stdin: "call NUMBER"; "mute": requests in the call are not answered; "speak":
# they are again, and so is the last one that was not. It prints "registered",
# "lost", "up", "asked METHOD CSEQ security=WORD" for each request in the call,
# "answered METHOD CSEQ", and "over".
use strict;
use warnings;
use lib $0 =~ m{^(.*)/} ? $1 : '.';
use TlsPhone;

my ($at, $cert, $key, $ca, $user, $address) = @ARGV;
my ($host) = split /:/, $at;
my $contact = "Contact: <sip:$user\@$address:5999;transport=tls>";
my $allow = 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE';
my ($cseq, $version, $is_muted, $unanswered) = (0, 0, 0, undef);
my ($call_id, $local, $remote, $target, $calls) = ('', '', '', '', 0);
my $p = TlsPhone->new(at => $at, cert => $cert, key => $key, ca => $ca,
	up => \&register, got => \&got, command => \&command);

sub header { return TlsPhone::header(@_); }

sub request {
	my ($method, $uri, $number, $lines, $body) = @_;
	my ($first, @head) = $p->request_head($method, $uri);
	$p->say_it($first, [@head, @$lines, "CSeq: $number $method", $contact,
		$allow, $body ? ('Content-Type: application/sdp') : ()], $body);
}

sub register {
	$unanswered = undef; # it died with the connection
	request('REGISTER', "sip:$host", ++$cseq, ["From: <sip:$user\@$host>;tag=r$$",
		"To: <sip:$user\@$host>", "Call-ID: reg-$$", 'Expires: 600'], '');
}

# The crypto line with this tag; the key is the same for the whole call
sub sdp {
	my ($tag) = @_;
	$version++;
	return join("\r\n", 'v=0', "o=$user 1 $version IN IP4 $address", 's=-',
		"c=IN IP4 $address", 't=0 0', 'm=audio 30000 RTP/SAVP 0',
		'a=rtpmap:0 PCMU/8000', "a=crypto:$tag AES_CM_128_HMAC_SHA1_80 " .
		'inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3' . substr($user, 2) .
		'kw', '');
}

sub dialog { return ["From: $local", "To: $remote", "Call-ID: $call_id"]; }

sub command {
	my ($line) = @_;
	if ($line =~ /^call (\d+)/) {
		$calls++;
		($call_id, $local) = ("call-$$-$calls", "<sip:$user\@$host>;tag=c$$");
		($remote, $target) = ("<sip:$1\@$host>", '');
		request('INVITE', "sip:$1\@$host", ++$cseq, dialog(), sdp(1));
	}
	$is_muted = 1 if $line eq 'mute';
	return if $line ne 'speak';
	$is_muted = 0;
	answer(@$unanswered) if $unanswered;
}

# Our INVITE was answered
sub on_answer {
	my ($m, $status, $number) = @_;
	return if $status < 200;
	if ($status < 300) {
		$remote = header($m, 'To');
		($target) = header($m, 'Contact') =~ /<([^>]*)>/;
		print "up\n";
	} else {
		print "over\n";
	}
	request('ACK', $target || "sip:$host", $number,
		["From: $local", 'To: ' . header($m, 'To'), "Call-ID: $call_id"], '');
}

sub answer {
	my ($m, $body) = @_;
	my ($method) = $m =~ /^(\S+)/;
	my ($number) = header($m, 'CSeq') =~ /(\d+)/;
	my ($tag) = $body =~ /^a=crypto:(\d+) AES_CM_128_HMAC_SHA1_80 /m;
	my @lines = TlsPhone::answer_head($m);
	$unanswered = undef;
	s/^(To: [^;]*)$/$1;tag=u$$/ for @lines;
	$p->say_it('SIP/2.0 200 OK', [@lines, $contact, $allow,
		defined $tag ? ('Content-Type: application/sdp') : ()],
		defined $tag ? sdp($tag) : '');
	print "answered $method $number\n";
	print "over\n" if $method eq 'BYE';
}

sub got {
	my ($m, $body) = @_;
	my ($number, $method) = header($m, 'CSeq') =~ /(\d+) (\S+)/;
	if ($m =~ m{^SIP/2\.0 (\d+)}) {
		print "registered\n" if $method eq 'REGISTER' && $1 == 200;
		on_answer($m, $1, $number) if $method eq 'INVITE';
		return;
	}
	return if $method eq 'ACK';
	my ($word) = header($m, 'Call-Info') =~ /security=(\w+)/;
	print "asked $method $number security=" . ($word // 'none') . "\n";
	if ($is_muted) {
		$unanswered = [$m, $body];
		return;
	}
	answer($m, $body);
}

$p->run();
