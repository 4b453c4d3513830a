package bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

record Hour(long events, long total) {
    static final Serde<Hour> SERDE = Serdes.serdeFrom(
        (topic, hour) -> hour == null ? null : ByteBuffer.allocate(16).putLong(hour.events).putLong(hour.total).array(),
        (topic, data) -> {
            if (data == null) {
                return null;
            }
            ByteBuffer buffer = ByteBuffer.wrap(data);
            return new Hour(buffer.getLong(), buffer.getLong());
        });

    Hour() {
        this(0, 0);
    }

    Hour add(Event event) {
        return new Hour(events + 1, total + event.value());
    }
}
