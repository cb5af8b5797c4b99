#!/usr/bin/perl
# A phone that watches somebody: it registers over TLS with its certificate,
# subscribes, answers NOTIFYs of its dialog (others: 481), and registers anew
# over a new connection when it has lost the old one (TlsPhone.pm).
#
#	watcher.pl HOST:PORT CERT KEY CA USER NUMBER
#
# stdin: "refresh", "end" (SUBSCRIBE again, or with Expires 0). It prints
# "registered", "subscribed STATUS", "notified STATE", "lost".
use strict;
use warnings;
use lib $0 =~ m{^(.*)/} ? $1 : '.';
use TlsPhone;

my ($at, $cert, $key, $ca, $user, $number) = @ARGV;
my ($host) = split /:/, $at;
my ($cseq, $from, $call_id) = (0, "w$$", "watch-$$");
my ($to, $target) = ("<sip:$number\@$host>", "sip:$number\@$host");
my $contact = "<sip:$user\@192.0.2.99:5999;transport=tls>";
my $p = TlsPhone->new(at => $at, cert => $cert, key => $key, ca => $ca,
	up => \&register, got => \&got, command => sub {
		subscribe(600) if $_[0] =~ /refresh/;
		subscribe(0) if $_[0] =~ /end/;
	});

sub request {
	my ($method, $uri, $id, $f, $t, @lines) = @_;
	my ($first, @head) = $p->request_head($method, $uri);
	$p->say_it($first, [@head, "From: <sip:$user\@$host>;tag=$f", "To: $t",
		"Call-ID: $id", "CSeq: " . ++$cseq . " $method",
		"Contact: $contact", @lines]);
}

sub register {
	request('REGISTER', "sip:$host", "reg-$$", "r$$", "<sip:$user\@$host>",
		'Expires: 600');
}

sub subscribe {
	request('SUBSCRIBE', $target, $call_id, $from, $to, 'Event: presence',
		'Accept: application/pidf+xml', "Expires: $_[0]");
}

sub header { return TlsPhone::header(@_); }

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
	$p->say_it('SIP/2.0 ' . ($is_good ? '200 OK' : '481 No Such Dialog'),
		[TlsPhone::answer_head($m)]);
	print 'notified ' . header($m, 'Subscription-State') . "\n" if $is_good;
}

$p->run();
