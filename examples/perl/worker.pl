#!/usr/bin/env perl
# A worker that works only while its replica leads. Nothing but modules that come with Perl (Debian: perl, not perl-base).
#
#   SIGNAL_DIR=/var/run/lease-sidecar ./worker.pl     asks the files
#   ./worker.pl                                       asks over HTTP, at SIDECAR_URL
#
# It fails closed: whatever is missing, half, stale, of another boot or refused means "not leader".
use strict;
use warnings;
use Fcntl qw(:flock);
use HTTP::Tiny;
use JSON::PP;
use Time::HiRes qw(sleep stat time);

my $dir      = $ENV{SIGNAL_DIR}  || '';
my $url      = $ENV{SIDECAR_URL} || 'http://127.0.0.1:4040';
my $interval = $ENV{INTERVAL}    || 1;    # seconds between looks while standing by
my $http     = HTTP::Tiny->new( timeout => 1, http_proxy => undef, all_proxy => undef, max_redirect => 0 );
chomp( my $boot = slurp('/proc/sys/kernel/random/boot_id') );

$|++;                                     # a line at a time
$SIG{TERM} = sub { exit 0 };              # as pid 1 Perl would not die of it

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!";
    local $/;
    return scalar <$file>;
}

# document returns what the sidecar says now.
sub document {
    if ($dir) {
        # The leader file's time is validUntil by the wall clock. It guards against an uptime that is not the boot
        # clock's (lxcfs); the exact deadline is in the document.
        my $end = ( stat "$dir/leader" )[9] or die "no leader file";
        die "the leader file is stale" if $end <= time;
        return slurp("$dir/state.json");
    }
    my $answer = $http->get("$url/leader");
    die "the sidecar answers $answer->{status}" if $answer->{status} != 200;
    return $answer->{content};
}

# uptime returns the boot clock in hundredths of a second, rounded down.
sub uptime {
    my ( $seconds, $hundredths ) = slurp('/proc/uptime') =~ /^(\d+)\.(\d\d) / or die "no uptime";
    return "$seconds$hundredths";
}

# term returns the token of the term that runs now, or ''.
sub term {
    my $token = eval {
        my $said = decode_json( document() );
        die "it does not lead" unless JSON::PP::is_bool( $said->{isLeader} ) && $said->{isLeader};
        die "that was another boot" unless $said->{bootID} eq $boot;
        # Both sides are cut to hundredths, so the deadline must be a whole step ahead. The clock is read last.
        my ($until) = $said->{validUntilBoottimeNs} =~ /^(\d{1,11})\d{7}$/ or die "no deadline";
        uptime() < $until ? $said->{token} : '';
    };
    return $token // '';    # whatever it was, nothing is known: that is no term
}

# hold takes the run lock, by which the sidecar sees this worker at work, and its end, however it ends. Closing the file
# releases it.
sub hold {
    open my $lock, '<', "$dir/run.lock" or return;
    flock $lock, LOCK_SH or return;
    return $lock;
}

# drained reports to the sidecar that the work has stopped, so that another replica may start at once. A dead sidecar's
# term expires by itself, so the answer does not matter.
sub drained { $http->post("$url/drained") }

# work is one short piece: it ends well within the gap between renew deadline and lease duration. Whatever it writes
# to should refuse a token lower than one it has seen.
sub work {
    my ( $token, $unit ) = @_;
    print "working token=$token unit=$unit\n";
    sleep 0.2;
}

my ( $printed, $unit, $lock ) = ( 'unknown', 0 );
while (1) {
    my $token = term();
    if ( $token ne $printed ) {
        if   ( !$token )         { undef $lock }
        elsif ( $dir && !$lock ) { $lock = hold() }
        print $token ? "leading token=$token\n" : "standing by\n";
        drained() unless $token;
        $printed = $token;    # and look again before any work: the term may have ended during the wait for the lock
    }
    elsif ($token) { work( $token, ++$unit ) }
    else           { sleep $interval }
}
