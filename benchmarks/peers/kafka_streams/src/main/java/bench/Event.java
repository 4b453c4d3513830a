package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** The part of an event that the task needs, read with Jackson's streaming parser. Its time is the time of its record. */
record Event(String user, long value) {
    private static final JsonFactory JSON = new JsonFactory();
    static final Serde<Event> SERDE = Serdes.serdeFrom((topic, event) -> {
        throw new UnsupportedOperationException("events are only read");
    }, (topic, data) -> read(data));

    private static Event read(byte[] data) {
        try (JsonParser parser = JSON.createParser(data)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                boolean isData = parser.currentName().equals("data");
                parser.nextToken();
                if (isData) {
                    return deed(parser);
                }
                parser.skipChildren();
            }
            return new Event(null, 0);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Event deed(JsonParser parser) throws IOException {
        String user = null;
        long value = 0;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            if (name.equals("user")) {
                user = parser.getText();
            } else if (name.equals("value")) {
                value = parser.getLongValue();
            } else {
                parser.skipChildren();
            }
        }
        return new Event(user, value);
    }
}
