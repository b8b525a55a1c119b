#include "queue/message_id.h"

enum {
    COUNT_BITS = 12,
    MAKER_BITS = 8,
    TEXT_LENGTH = MESSAGE_ID_TEXT - 1,
    BITS_PER_LETTER = 5,
};

static const time_ms epoch = SECONDS(1577836800);       /* 2020-01-01 */
static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";

message_id message_id_new(struct id_maker *m, time_ms wall)
{
    time_ms now = wall - epoch;

    if (now < 1)        /* a clock that was never set must not make the id 0 */
        now = 1;
    if (now > m->last) {
        m->last = now;
        m->count = 0;
    } else if (++m->count >> COUNT_BITS) {      /* this millisecond is used up, or the clock stands still */
        m->last++;
        m->count = 0;
    }
    return (message_id)m->last << (MAKER_BITS + COUNT_BITS) | (message_id)(m->maker & 0xff) << COUNT_BITS | m->count;
}

const char *message_id_text(message_id id, char text[MESSAGE_ID_TEXT])
{
    for (int i = TEXT_LENGTH; i-- > 0; id >>= BITS_PER_LETTER)
        text[i] = letters[id & 31];
    text[TEXT_LENGTH] = '\0';
    return text;
}

static int letter_value(char c)
{
    c = byte_lower(c);
    if (c == 'o')
        return 0;
    if (c == 'i' || c == 'l')
        return 1;
    for (int i = 0; i < 32; i++)
        if (letters[i] == c)
            return i;
    return -1;
}

bool message_id_parse(struct slice text, message_id *id)
{
    message_id value = 0;

    if (text.len != TEXT_LENGTH)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int letter = letter_value(text.at[i]);

        if (letter < 0)
            return false;
        value = value << BITS_PER_LETTER | (message_id)letter;
    }
    /* 13 letters are 65 bits: the first one may hold only three of its five. */
    if (value == 0 || letter_value(text.at[0]) > 7)
        return false;
    *id = value;
    return true;
}
