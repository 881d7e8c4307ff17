//! Every limit of the cloud, each with its reason.

/// Bodies of small questions: pairing, token, approval, order. None needs more than 1 KiB.
pub const SMALL_BODY_BYTES: usize = 16 << 10;
/// A playlist, layout or schedule: the same as a device takes for a whole manifest.
pub const CONTENT_BODY_BYTES: usize = 4 << 20;
/// A batch of records: 200 faults with long details stay below.
pub const RECORDS_BODY_BYTES: usize = 4 << 20;
/// One record as kept: a long fault has 4 KiB.
pub const RECORD_BYTES: usize = 16 << 10;
/// Records kept per device; beyond it the oldest go. A busy screen makes 10 000 a day.
pub const RECORDS_PER_DEVICE: u32 = 200_000;
/// Records in one answer to an operator.
pub const RECORDS_PAGE: u32 = 1_000;
/// One asset: an hour of video at 8 Mbit/s is 3.6 GB.
pub const ASSET_BYTES: u64 = 8 << 30;
/// One screenshot: a 4K picture as PNG; the player's own link carries no more.
pub const SCREENSHOT_BYTES: u64 = 64 << 20;
/// A signed manifest as sent: devices refuse more.
pub const MANIFEST_WIRE_BYTES: usize = 4 << 20;
/// Items over all playlists: devices take no more.
pub const ITEMS: usize = 10_000;
/// Playlists, layouts and schedule entries, each: beyond it a person lost the overview long ago.
pub const LIST: usize = 1_000;
/// Zones of a layout: devices take no more, and each may cost a video decoder.
pub const ZONES: usize = 32;
/// Windows of a schedule entry: every half hour of a week is 336.
pub const WINDOWS: usize = 400;
/// Displays of a device, as the players have it.
pub const DISPLAYS: u8 = 8;
/// A label that people read: it must fit on a screen.
pub const LABEL_BYTES: usize = 200;
/// An id in a path or a manifest.
pub const ID_BYTES: usize = 64;
/// Side of a layout or zone: the largest still that devices decode.
pub const SIDE_PX: u32 = 16_384;
/// A text: devices take no longer ones.
pub const TEXT_BYTES: usize = 4_096;
/// Smallest and largest letters: below nothing can be read, above no screen holds one.
pub const TEXT_SIZE_PX: (u32, u32) = (4, 2_000);
/// Slowest and fastest ticker: a letter a second, a screen a second.
pub const TICKER_SPEED_PX_S: (u32, u32) = (10, 2_000);
/// News feeds of all tickers: devices ask no more.
pub const FEEDS: usize = 32;
/// Headlines that run: nobody waits for the hundredth.
pub const FEED_HEADLINES: u32 = 100;
/// Shortest and longest pause between two looks at a feed.
pub const FEED_REFRESH_S: (u32, u32) = (60, 24 * 3_600);
/// Widest margin around words.
pub const TEXT_PADDING_PX: u32 = 2_000;
/// Shortest item: two changes a second is the most that people can look at.
pub const ITEM_DURATION_MIN_MS: u64 = 500;
/// Longest item: beyond a week it is a schedule entry.
pub const ITEM_DURATION_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Longest transition: beyond it people wait for the picture.
pub const TRANSITION_MS: u64 = 5_000;
/// Degrees that a zone may be turned either way: once around.
pub const ROTATION_DEG: f32 = 360.0;
/// Life of an order: after a month nobody remembers asking.
pub const ORDER_LIFE_S: u64 = 31 * 24 * 3_600;
/// Enrollment tokens of one tenant, spent ones among them: beyond it nobody knows which is where.
pub const ENROLLMENTS: u32 = 1_000;
/// Devices by one token: the largest fleet that is thought of.
pub const ENROLLMENT_USES: u32 = 10_000;
/// Life of a token: cards that are written today are in a screen within a year.
pub const ENROLLMENT_LIFE_S: u64 = 366 * 24 * 3_600;
/// Orders that wait for one device: each is sent again with every new one until it is answered.
pub const ORDERS_PER_DEVICE: usize = 32;

/// Settings for one device or for all: players take twice as many.
pub const SETTINGS: usize = 50;

/// Life of an access token.
pub const ACCESS_LIFE_S: i64 = 3_600;
/// Life of a refresh token.
pub const REFRESH_LIFE_S: i64 = 7 * 24 * 3_600;
/// Token families per device: one is in use, a few more survive from answers that were lost.
pub const FAMILIES: u32 = 8;
/// Life of a pairing code: long enough to walk to an office and back.
pub const PAIRING_LIFE_S: i64 = 15 * 60;
/// Added to a device's interval when it asks too soon (RFC 8628).
pub const SLOW_DOWN_S: i64 = 5;
/// Pairings that wait at a time; anybody may start one, so the table needs an end.
pub const PAIRINGS: u32 = 10_000;
/// Wrong user codes per tenant and [`GUESS_WINDOW_S`]: at this pace 20^8 codes take 5 000 years.
pub const GUESSES: usize = 10;
/// Span in which wrong user codes are counted.
pub const GUESS_WINDOW_S: i64 = 60;
/// A device's "seen at" is written at most this often: each write costs a flush.
pub const SEEN_EVERY_S: i64 = 10;

/// A body that has not arrived by now is given up (small bodies), in seconds.
pub const BODY_WITHIN_S: u64 = 30;
/// A stream of bytes that stalls for this long is given up, in seconds.
pub const STALL_WITHIN_S: u64 = 60;
/// Pause between two pings of the event channel, in seconds: shorter than what routers forget in.
pub const PING_EVERY_S: u64 = 30;
/// A message that the event channel cannot take within this is given up with the channel.
pub const PUSH_WITHIN_S: u64 = 10;
/// Open exchanges get this long to end when the server stops, in milliseconds.
pub const STOP_WITHIN_MS: u64 = 1_500;
/// Bytes looked at to tell what a file is.
pub const HEAD_BYTES: usize = 1_024;
