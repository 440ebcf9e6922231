import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * A worker that works only while its replica leads. Nothing but the JDK, 17 or newer.
 *
 * <pre>
 *   SIGNAL_DIR=/var/run/lease-sidecar java Worker.java     asks the files
 *   java Worker.java                                       asks over HTTP, at SIDECAR_URL
 * </pre>
 *
 * It fails closed: whatever is missing, half, stale, of another boot or refused means "not leader".
 */
public class Worker {
    /**
     * A leading document. Within a JSON string each quote has a backslash before it, so the patterns cannot match
     * inside one. The deadline's last seven digits are cut off, which leaves hundredths of a second.
     */
    static final Pattern LEADING = Pattern.compile("\\{.*\"isLeader\":true,.*\"token\":\"(?<token>\\d+)\",.*"
            + "\"validUntilBoottimeNs\":\"(?<until>\\d+)\\d{7}\",\"bootID\":\"(?<boot>[-0-9a-f]{36})\".*}\\s*");

    static final String DIR = setting("SIGNAL_DIR", "");
    static final String URL = setting("SIDECAR_URL", "http://127.0.0.1:4040");
    /** Milliseconds between looks while standing by. */
    static final long INTERVAL = (long) (1000 * Double.parseDouble(setting("INTERVAL", "1")));

    final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
            .proxy(HttpClient.Builder.NO_PROXY).connectTimeout(Duration.ofSeconds(1)).build();
    final String boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
    final WatchService events = watch();
    /** What holds the run lock while this worker works; null while it does not. */
    FileChannel lock;

    Worker() throws IOException {}

    static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    /** Returns what the sidecar says now. */
    String document() throws IOException, InterruptedException {
        if (!DIR.isEmpty()) {
            // The leader file's time is validUntil by the wall clock. It guards against an uptime that is not the
            // boot clock's (lxcfs); the exact deadline is in the document.
            if (Files.getLastModifiedTime(Path.of(DIR, "leader")).toMillis() <= System.currentTimeMillis()) {
                throw new IOException("the leader file is stale");
            }
            return Files.readString(Path.of(DIR, "state.json"));
        }
        var answer = http.send(request("/leader").GET().build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException("the sidecar answers " + answer.statusCode());
        }
        return answer.body();
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(URL + path)).timeout(Duration.ofSeconds(1));
    }

    /** Returns the boot clock in hundredths of a second, rounded down. */
    static long uptime() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/uptime")).split(" ")[0].replace(".", ""));
    }

    /** Returns the token of the term that runs now, or "". */
    String term() throws InterruptedException {
        try {
            var said = LEADING.matcher(document());
            // Both sides are cut to hundredths, so the deadline must be a whole step ahead. The clock is read last.
            boolean leads = said.matches() && said.group("boot").equals(boot)
                    && uptime() < Long.parseLong(said.group("until"));
            return leads ? said.group("token") : "";
        } catch (IOException | RuntimeException e) {
            return ""; // whatever it is, nothing is known: that is no term
        }
    }

    /**
     * Takes the run lock, by which the sidecar sees this worker at work, and its end, however it ends; or releases it.
     * Opening and closing the file elsewhere in this process would release it too: that is how POSIX locks are.
     */
    void hold(boolean works) {
        try {
            if (works && lock == null && !DIR.isEmpty()) {
                lock = FileChannel.open(Path.of(DIR, "run.lock"));
                lock.lock(0, Long.MAX_VALUE, true);
            } else if (!works && lock != null) {
                lock.close();
                lock = null;
            }
        } catch (IOException e) {
            // then the sidecar relies on the reports
        }
    }

    /** Reports to the sidecar that the work has stopped, so that another replica may start at once. */
    void drained() throws InterruptedException {
        try {
            http.send(request("/drained").POST(HttpRequest.BodyPublishers.noBody()).build(), BodyHandlers.discarding());
        } catch (IOException e) {
            // a dead sidecar's term expires by itself
        }
    }

    /** Watches the directory, as a watch on a file dies when it is replaced; null where there is nothing to watch. */
    static WatchService watch() {
        if (DIR.isEmpty()) {
            return null;
        }
        try {
            Path dir = Path.of(DIR);
            WatchService service = dir.getFileSystem().newWatchService();
            dir.register(service, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE,
                    StandardWatchEventKinds.ENTRY_MODIFY);
            return service;
        } catch (IOException e) {
            return null;
        }
    }

    /** Waits until it is time for another look. Events only hasten: without them the loop looks by itself. */
    void pause() throws InterruptedException {
        if (events == null) {
            Thread.sleep(INTERVAL);
            return;
        }
        WatchKey key = events.poll(INTERVAL, TimeUnit.MILLISECONDS);
        if (key != null) {
            key.pollEvents();
            key.reset();
        }
    }

    /**
     * Does one short piece: it ends well within the gap between renew deadline and lease duration. Whatever it
     * writes to should refuse a token lower than one it has seen.
     */
    static void work(String token, int unit) throws InterruptedException {
        System.out.println("working token=" + token + " unit=" + unit);
        Thread.sleep(200);
    }

    void run() throws InterruptedException {
        String printed = "unknown";
        int unit = 0;
        while (true) {
            String token = term();
            if (!token.equals(printed)) {
                hold(!token.isEmpty());
                System.out.println(token.isEmpty() ? "standing by" : "leading token=" + token);
                if (token.isEmpty()) {
                    drained();
                }
                printed = token; // and look again before any work: the term may have ended during the wait for the lock
            } else if (token.isEmpty()) {
                pause();
            } else {
                work(token, ++unit);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        new Worker().run();
    }
}
