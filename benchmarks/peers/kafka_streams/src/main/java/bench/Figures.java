package bench;

import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.common.utils.Bytes;
import java.time.Duration;

/** Count and sum per account and hour, distinct people per account and day: two windowed aggregations of the DSL with caching, RocksDB and changelogs. */
public final class Figures {
    private static final Duration LATE = Duration.ofDays(1);

    public static void main(String[] arguments) {
        StreamsBuilder builder = new StreamsBuilder();
        var byAccount = builder
            .stream(System.getenv("PEER_TOPIC"), Consumed.with(Serdes.String(), Event.SERDE))
            .groupByKey(Grouped.with(Serdes.String(), Event.SERDE));
        byAccount
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofHours(1), LATE))
            .aggregate(Hour::new, (account, event, hour) -> hour.add(event),
                Materialized.<String, Hour, WindowStore<Bytes, byte[]>>as("hours").withKeySerde(Serdes.String()).withValueSerde(Hour.SERDE))
            .toStream()
            .process(Sink.<Hour>of("hour", cell -> new long[] {cell.events(), cell.total()}));
        byAccount
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofDays(1), LATE))
            .aggregate(People::new, (account, event, people) -> people.add(event),
                Materialized.<String, People, WindowStore<Bytes, byte[]>>as("people").withKeySerde(Serdes.String()).withValueSerde(People.SERDE))
            .toStream()
            .process(Sink.<People>of("day", cell -> new long[] {cell.number()}));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings());
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties settings() {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("PEER_GROUP"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("PEER_BOOTSTRAP"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("PEER_STATE"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 5_000);
        settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        settings.put(StreamsConfig.producerPrefix("linger.ms"), 100);
        return settings;
    }
}
