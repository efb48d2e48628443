// Adds entries to ledgers with the BookKeeper client (version 2, no throttle), as fast as a window allows or at a rate.
// Arguments: metadata service URI, ensemble size, write quorum, ack quorum, payload bytes, window, entries per second (0: as fast as
// it goes), seconds, seconds before that do not count, most entries. The last line printed is JSON. An entry's latency counts from
// the moment at which it should have been sent: when its place in the window became free, or at its place in the rate.
import java.util.concurrent.*;
import java.util.concurrent.locks.LockSupport;
import org.apache.bookkeeper.client.*;
import org.apache.bookkeeper.client.AsyncCallback.AddCallback;
import org.apache.bookkeeper.client.BookKeeper.DigestType;
import org.apache.bookkeeper.conf.ClientConfiguration;

public class LedgerLoad implements AddCallback {
    static final int STEP = 32;  // places of the window are freed by so many
    static final int LONGEST_US = 20_000_000;
    static int window;
    static byte[] payload;

    final int[] counts = new int[LONGEST_US + 1];  // entries by latency; one thread completes those of a ledger
    final Semaphore places = new Semaphore(window);
    final CountDownLatch end = new CountDownLatch(1);
    volatile long done, sent = Long.MAX_VALUE;
    volatile int failure;

    public static void main(String[] args) throws Exception {
        int[] quorums = {Integer.parseInt(args[1]), Integer.parseInt(args[2]), Integer.parseInt(args[3])};
        payload = new byte[Integer.parseInt(args[4])];
        ThreadLocalRandom.current().nextBytes(payload);
        window = Integer.parseInt(args[5]);
        double rate = Double.parseDouble(args[6]), seconds = Double.parseDouble(args[7]), warmSeconds = Double.parseDouble(args[8]);
        long most = Long.parseLong(args[9]);
        ClientConfiguration conf = new ClientConfiguration();
        conf.setMetadataServiceUri(args[0]);
        conf.setUseV2WireProtocol(true);
        conf.setThrottleValue(0);
        conf.setAddEntryTimeout(60);
        try (BookKeeper client = new BookKeeper(conf)) {
            if (warmSeconds > 0) new LedgerLoad().run(client, quorums, rate, warmSeconds, most);
            System.out.println(new LedgerLoad().run(client, quorums, rate, seconds, most));
        }
        System.exit(0);
    }

    String run(BookKeeper client, int[] quorums, double rate, double seconds, long most) throws Exception {
        LedgerHandle ledger = client.createLedger(quorums[0], quorums[1], quorums[2], DigestType.CRC32C, "load".getBytes());
        long began = System.nanoTime(), until = began + (long) (seconds * 1e9), count = 0;
        if (rate > 0) {
            long all = Math.min(most, (long) (rate * seconds));
            while (count < all && failure == 0) {
                long due = Math.min(all, (long) ((System.nanoTime() - began) * rate / 1e9) + 1);
                for (; count < due; count++) ledger.asyncAddEntry(payload, this, began + (long) (count * 1e9 / rate));
                LockSupport.parkNanos(began + (long) (count * 1e9 / rate) - System.nanoTime());
            }
        } else {
            while (count < most && failure == 0) {
                places.acquire(STEP);
                Long now = System.nanoTime();
                if (now > until) break;
                for (int i = 0; i < STEP; i++, count++) ledger.asyncAddEntry(payload, this, now);
            }
        }
        sent = count;
        if (done < count && !end.await(60, TimeUnit.SECONDS)) throw new IllegalStateException(done + " of " + count + " entries were confirmed");
        double took = (System.nanoTime() - began) / 1e9;
        if (failure != 0) throw BKException.create(failure);
        ledger.close();
        return String.format("{\"entries\": %d, \"seconds\": %.3f, \"entries_per_s\": %.1f, \"mb_per_s\": %.2f, \"add_p50_ms\": %.3f,"
            + " \"add_p99_ms\": %.3f, \"add_p999_ms\": %.3f, \"add_max_ms\": %.3f}", count, took, count / took,
            count / took * payload.length / 1e6, quantile(count, 0.5), quantile(count, 0.99), quantile(count, 0.999), quantile(count, 1));
    }

    @Override
    public void addComplete(int code, LedgerHandle ledger, long entryId, Object intended) {
        if (code != 0) failure = code;
        counts[(int) Math.min(LONGEST_US, (System.nanoTime() - (Long) intended) / 1000)]++;
        long now = done + 1;
        done = now;
        if (now % STEP == 0) places.release(STEP);
        if (now >= sent || failure != 0) end.countDown();
    }

    double quantile(long count, double fraction) {
        long wanted = (long) Math.ceil(fraction * count), seen = 0;
        for (int us = 0; us <= LONGEST_US; us++) if ((seen += counts[us]) >= wanted) return us / 1000.0;
        return 0;
    }
}
