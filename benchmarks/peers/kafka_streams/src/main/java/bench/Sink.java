package bench;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;

/** Writes what a commit let through the cache, at most 100 ms later, in one statement. */
final class Sink<V> implements Processor<Windowed<String>, V, Void, Void> {
    private record Cell(String account, long bucket) implements Comparable<Cell> {
        @Override
        public int compareTo(Cell other) {
            int byAccount = account.compareTo(other.account);
            return byAccount != 0 ? byAccount : Long.compare(bucket, other.bucket);
        }
    }

    private static final String HOURS = """
        insert into result_hour select * from unnest(?::text[], ?::bigint[], ?::bigint[], ?::bigint[])
        on conflict (account, hour) do update set events = excluded.events, total = excluded.total""";
    private static final String DAYS = """
        insert into result_day select * from unnest(?::text[], ?::bigint[], ?::bigint[])
        on conflict (account, day) do update set people = excluded.people""";
    private static final String NOTE = """
        insert into written values (?, clock_timestamp()) on conflict (writer) do update set at = excluded.at""";

    private final boolean hourly;
    private final Function<V, long[]> figures;
    private final TreeMap<Cell, long[]> gathered = new TreeMap<>();
    private Connection connection;
    private String writer;

    private Sink(boolean hourly, Function<V, long[]> figures) {
        this.hourly = hourly;
        this.figures = figures;
    }

    static <V> ProcessorSupplier<Windowed<String>, V, Void, Void> of(String grain, Function<V, long[]> figures) {
        return () -> new Sink<>(grain.equals("hour"), figures);
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
        writer = context.taskId() + (hourly ? " hour" : " day");
        try {
            connection = DriverManager.getConnection(System.getenv("PEER_JDBC_URL"));
            connection.setAutoCommit(false);
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
        context.schedule(Duration.ofMillis(100), PunctuationType.WALL_CLOCK_TIME, now -> write());
    }

    @Override
    public void process(Record<Windowed<String>, V> record) {
        long start = record.key().window().start();
        gathered.put(new Cell(record.key().key(), start / (hourly ? 3_600_000L : 86_400_000L)), figures.apply(record.value()));
    }

    private void write() {
        if (gathered.isEmpty()) {
            return;
        }
        try (PreparedStatement upsert = connection.prepareStatement(hourly ? HOURS : DAYS);
            PreparedStatement note = connection.prepareStatement(NOTE)) {
            Object[] accounts = gathered.keySet().stream().map(Cell::account).toArray();
            Object[] buckets = gathered.keySet().stream().map(Cell::bucket).toArray();
            upsert.setArray(1, connection.createArrayOf("text", accounts));
            upsert.setArray(2, connection.createArrayOf("bigint", buckets));
            for (int column = 0; column < (hourly ? 2 : 1); column++) {
                int at = column;
                Object[] values = gathered.values().stream().map(cell -> cell[at]).toArray();
                upsert.setArray(3 + column, connection.createArrayOf("bigint", values));
            }
            upsert.executeUpdate();
            note.setString(1, writer);
            note.executeUpdate();
            connection.commit();
            gathered.clear();
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public void close() {
        write();
        try {
            connection.close();
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
    }
}
