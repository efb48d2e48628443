// A ZooKeeper server and Apache bookies in one JVM, and a BookKeeper client that does what stdin says.
// Arguments: directory, ZooKeeper's port, the bookies' ports. Each line of stdin is answered by one line:
//   stop PORT | start PORT                          "ok"
//   write V E QW QA DIGEST COUNT close|open         "ledger ID": entries "entry-0" ... with password "secret", by client v2, v3
//                                                   or v3lac, which tells its LAC also when it is idle; v2tls and v3tls
//                                                   show the certificate that "tls" has named
//   tls CA CERTIFICATE KEY                          "ok": PEM files, also of bookies that are started with "start PORT tls"
//   entries BOOKIE ID LAST                          "entries TOTAL LIST": what a bookie says that it has up to LAST
//   poll ID ENTRY MS                                "polled LAC ENTRY": waits until ENTRY is confirmed, and reads it
//   defer E QW QA COUNT                             "deferred ID LAC LAC": adds that need not be synced, the last add confirmed
//                                                   before and behind a force; then as many again, without one, and the close
//   append ID COUNT                                 "appended LAST", of a ledger that `write ... open` left
//   shell PORT COMMAND...                           "exit CODE PRINTED" of BookKeeper's shell, configured as the bookie
//                                                   on that port; lines end with a bar
//   read V ID DIGEST recover|look                   "read COUNT closed|open LENGTH": all entries up to the last confirmed one, compared
// A failure is "failed CLASS: text".
import java.io.*;
import java.net.InetSocketAddress;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import org.apache.bookkeeper.bookie.BookieShell;
import org.apache.bookkeeper.client.BookKeeperAdmin;
import org.apache.bookkeeper.client.api.*;
import org.apache.bookkeeper.conf.*;
import org.apache.bookkeeper.net.BookieId;
import org.apache.bookkeeper.server.EmbeddedServer;
import org.apache.bookkeeper.server.conf.BookieConfiguration;
import org.apache.bookkeeper.util.AvailabilityOfEntriesOfLedger;
import org.apache.bookkeeper.util.EntryFormatter;
import org.apache.bookkeeper.util.LedgerIdFormatter;
import org.apache.zookeeper.server.*;

public class BookieCluster {
    static final byte[] PASSWORD = "secret".getBytes();
    static String directory, uri;
    static final Map<Integer, EmbeddedServer> bookies = new HashMap<>();
    static final Map<String, BookKeeper> clients = new HashMap<>();
    static final Map<Long, WriteHandle> writers = new HashMap<>();
    static String authority, certificate, key;

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);  // the shell prints at any time
        directory = args[0];
        int zooKeeperPort = Integer.parseInt(args[1]);
        File data = new File(directory, "zk");
        data.mkdirs();
        NIOServerCnxnFactory connections = new NIOServerCnxnFactory();
        connections.configure(new InetSocketAddress("127.0.0.1", zooKeeperPort), 1000);
        connections.startup(new ZooKeeperServer(data, data, 1000));
        uri = "zk+hierarchical://127.0.0.1:" + zooKeeperPort + "/ledgers";
        BookKeeperAdmin.initNewCluster(configuration(0));
        for (int i = 2; i < args.length; i++) start(Integer.parseInt(args[i]), false);
        answers.println("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = handle(line.split(" "));
            } catch (Throwable e) {
                Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
                answer = "failed " + cause.getClass().getSimpleName() + ": " + cause.getMessage();
            }
            answers.println(answer);
        }
        System.exit(0);
    }

    static String handle(String[] words) throws Exception {
        switch (words[0]) {
            case "start": start(Integer.parseInt(words[1]), words.length > 2); return "ok";
            case "tls": authority = words[1]; certificate = words[2]; key = words[3]; return "ok";
            case "entries": return entries(words);
            case "poll": return poll(words);
            case "stop": bookies.remove(Integer.parseInt(words[1])).getLifecycleComponentStack().close(); return "ok";
            case "write": return write(words);
            case "defer": return defer(words);
            case "append": return "appended " + append(writers.get(Long.parseLong(words[1])), Integer.parseInt(words[2]));
            case "read": return read(words);
            case "shell": return shell(words);
            default: throw new IllegalArgumentException(words[0]);
        }
    }

    static String shell(String[] words) throws Exception {
        BookieShell shell = new BookieShell(LedgerIdFormatter.LONG_LEDGERID_FORMATTER, EntryFormatter.STRING_FORMATTER);
        shell.setConf(configuration(Integer.parseInt(words[1])));
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true));
        try {
            int code = shell.run(Arrays.copyOfRange(words, 2, words.length));
            return "exit " + code + " " + printed.toString().replace('\n', '|');
        } finally {
            System.setOut(System.err);
        }
    }

    static String write(String[] words) throws Exception {
        WriteHandle writer = client(words[1]).newCreateLedgerOp().withEnsembleSize(Integer.parseInt(words[2]))
            .withWriteQuorumSize(Integer.parseInt(words[3])).withAckQuorumSize(Integer.parseInt(words[4]))
            .withDigestType(DigestType.valueOf(words[5])).withPassword(PASSWORD).execute().get();
        append(writer, Integer.parseInt(words[6]));
        if (words[7].equals("close")) writer.close(); else writers.put(writer.getId(), writer);
        return "ledger " + writer.getId();
    }

    static String defer(String[] words) throws Exception {
        WriteHandle writer = client("v3").newCreateLedgerOp().withEnsembleSize(Integer.parseInt(words[1]))
            .withWriteQuorumSize(Integer.parseInt(words[2])).withAckQuorumSize(Integer.parseInt(words[3]))
            .withDigestType(DigestType.CRC32C).withPassword(PASSWORD).withWriteFlags(WriteFlag.DEFERRED_SYNC).execute().get();
        int count = Integer.parseInt(words[4]);
        for (int i = 0; i < count; i++) writer.append(("entry-" + i).getBytes());
        long before = writer.getLastAddConfirmed();
        writer.force().get();
        long behind = writer.getLastAddConfirmed();
        for (int i = count; i < 2 * count; i++) writer.append(("entry-" + i).getBytes());
        writer.close();
        return "deferred " + writer.getId() + " " + before + " " + behind;
    }

    static long append(WriteHandle writer, int count) throws Exception {
        long first = writer.getLastAddConfirmed() + 1;
        List<CompletableFuture<Long>> adds = new ArrayList<>();
        for (int i = 0; i < count; i++) adds.add(writer.appendAsync(("entry-" + (first + i)).getBytes()));
        for (CompletableFuture<Long> add : adds) add.get();
        return writer.getLastAddConfirmed();
    }

    static String read(String[] words) throws Exception {
        try (ReadHandle reader = client(words[1]).newOpenLedgerOp().withLedgerId(Long.parseLong(words[2])).withPassword(PASSWORD)
                .withDigestType(DigestType.valueOf(words[3])).withRecovery(words[4].equals("recover")).execute().get()) {
            long last = reader.getLastAddConfirmed(), count = 0;
            while (count <= last) {
                try (LedgerEntries entries = reader.read(count, Math.min(last, count + 999))) {
                    for (LedgerEntry entry : entries) {
                        String found = new String(entry.getEntryBytes());
                        if (!found.equals("entry-" + count++)) throw new IllegalStateException(entry.getEntryId() + " is " + found);
                    }
                }
            }
            return "read " + count + (reader.isClosed() ? " closed " : " open ") + reader.getLength();
        }
    }

    static String entries(String[] words) throws Exception {
        ClientConfiguration conf = new ClientConfiguration();
        conf.setMetadataServiceUri(uri);
        try (BookKeeperAdmin admin = new BookKeeperAdmin(conf)) {
            AvailabilityOfEntriesOfLedger found = admin
                .asyncGetListOfEntriesOfLedger(BookieId.parse(words[1]), Long.parseLong(words[2])).get(30, TimeUnit.SECONDS);
            StringJoiner list = new StringJoiner(",");
            for (long id = 0; id <= Long.parseLong(words[3]); id++) if (found.isEntryAvailable(id)) list.add(Long.toString(id));
            return "entries " + found.getTotalNumOfAvailableEntries() + " " + list;
        }
    }

    static String poll(String[] words) throws Exception {
        long id = Long.parseLong(words[2]);
        try (ReadHandle reader = client("v3").newOpenLedgerOp().withLedgerId(Long.parseLong(words[1])).withPassword(PASSWORD)
                .withDigestType(DigestType.CRC32C).withRecovery(false).execute().get();
                LastConfirmedAndEntry found = reader.readLastAddConfirmedAndEntry(id, Long.parseLong(words[3]), false)) {
            return "polled " + found.getLastAddConfirmed() + " " + (found.hasEntry() ? new String(found.getEntry().getEntryBytes()) : "-");
        }
    }

    static BookKeeper client(String version) throws Exception {
        BookKeeper client = clients.get(version);
        if (client == null) {
            ClientConfiguration conf = new ClientConfiguration();
            conf.setMetadataServiceUri(uri);
            conf.setUseV2WireProtocol(version.startsWith("v2"));
            if (version.equals("v3lac")) conf.setExplictLacInterval(100);
            if (version.endsWith("tls")) secure(conf);
            clients.put(version, client = BookKeeper.newBuilder(conf).build());
        }
        return client;
    }

    static void secure(ClientConfiguration conf) {
        conf.setTLSProviderFactoryClass("org.apache.bookkeeper.tls.TLSContextFactory");
        conf.setTLSClientAuthentication(true);
        conf.setTLSKeyStoreType("PEM");
        conf.setTLSKeyStore(key);
        conf.setTLSCertificatePath(certificate);
        conf.setTLSTrustStoreType("PEM");
        conf.setTLSTrustStore(authority);
    }

    static void secure(ServerConfiguration conf) {
        conf.setTLSProviderFactoryClass("org.apache.bookkeeper.tls.TLSContextFactory");
        conf.setTLSClientAuthentication(true);
        conf.setTLSKeyStoreType("PEM");
        conf.setTLSKeyStore(key);
        conf.setTLSCertificatePath(certificate);
        conf.setTLSTrustStoreType("PEM");
        conf.setTLSTrustStore(authority);
    }

    static ServerConfiguration configuration(int port) throws Exception {
        ServerConfiguration conf = new ServerConfiguration();
        conf.setMetadataServiceUri(uri);
        conf.setBookiePort(port);
        conf.setAllowLoopback(true);
        conf.setAdvertisedAddress("127.0.0.1");
        conf.setListeningInterface("lo");
        conf.setJournalDirName(directory + "/bookie-" + port + "/journal");
        conf.setLedgerDirNames(new String[] {directory + "/bookie-" + port + "/ledgers"});
        conf.setLedgerStorageClass("org.apache.bookkeeper.bookie.storage.ldb.DbLedgerStorage");
        conf.setProperty("dbStorage_writeCacheMaxSizeMb", 16);
        conf.setProperty("dbStorage_readAheadCacheMaxSizeMb", 16);
        conf.setNettyMaxFrameSizeBytes(5253120);
        conf.setJournalMaxGroupWaitMSec(1);
        conf.setHttpServerEnabled(false);
        conf.setAutoRecoveryDaemonEnabled(false);
        conf.setDiskUsageThreshold(0.99f);
        conf.setDiskUsageWarnThreshold(0.98f);
        conf.setDiskLowWaterMarkUsageThreshold(0.98f);
        return conf;
    }

    static void start(int port, boolean tls) throws Exception {
        ServerConfiguration conf = configuration(port);
        if (tls) secure(conf);
        EmbeddedServer server = EmbeddedServer.builder(new BookieConfiguration(conf)).build();
        server.getLifecycleComponentStack().start();
        bookies.put(port, server);
    }
}
