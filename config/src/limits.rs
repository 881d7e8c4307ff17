//! Every limit that is nobody's setting, each with its reason.

/// A manifest on the wire: 10 000 items of 300 bytes fit; a hostile cloud fills no memory.
pub const MANIFEST_WIRE_BYTES: usize = 4 << 20;
/// A manifest after decompression.
pub const MANIFEST_DECODED_BYTES: usize = 16 << 20;
/// Items over all playlists of a manifest.
pub const ITEMS: usize = 10_000;
/// Playlists of a manifest.
pub const PLAYLISTS: usize = 1_000;
/// Layouts of a manifest.
pub const LAYOUTS: usize = 1_000;
/// Schedule entries of a manifest; the scheduler looks at each on every edge.
pub const ENTRIES: usize = 1_000;
/// Overlays on the screen at a time: a logo, a clock, a ticker, an alarm, and as many again.
pub const OVERLAYS: usize = 8;
/// Displays of a device: a graphics card of a mini-PC drives four, a board two.
pub const DISPLAYS: u8 = 8;
/// Windows of a schedule entry: every half hour of a week is 336.
pub const WINDOWS: usize = 400;
/// Orders of a manifest: people give them one at a time.
pub const ORDERS: usize = 100;
/// Settings in a manifest: twice those that there are.
pub const SETTINGS: usize = 100;
/// Key, value or author of one: a path, an address, a name.
pub const SETTING_BYTES: usize = 1_000;
/// Any text in a manifest: labels fit on a screen.
pub const STRING_BYTES: usize = 4_096;
/// Smallest and largest letters: below nothing can be read, above no screen holds one.
pub const TEXT_SIZE_PX: (u32, u32) = (4, 2_000);
/// Slowest and fastest ticker: a letter a second, a screen a second.
pub const TICKER_SPEED_PX_S: (u32, u32) = (10, 2_000);
/// News feeds of a manifest: each is asked again and again.
pub const FEEDS: usize = 32;
/// A feed after decompression: the largest newspapers send 500 kB.
pub const FEED_BYTES: usize = 2 << 20;
/// Headlines taken of a feed: nobody waits for the hundredth to run by.
pub const FEED_HEADLINES: usize = 100;
/// A headline: beyond it, it is an article.
pub const HEADLINE_CHARS: usize = 300;
/// Shortest and longest pause between two looks at a feed: less is rude to its server, more is a
/// day old.
pub const FEED_REFRESH_S: (u32, u32) = (60, 24 * 3_600);
/// Of an address in a text for people.
pub const URL_SHOWN_CHARS: usize = 200;
/// Widest margin around words.
pub const TEXT_PADDING_PX: u32 = 2_000;
/// Zones of a layout. More is a mistake, and each may cost a video decoder.
pub const ZONES: usize = 32;
/// Longest side of a still: what its decoder may be asked to hold.
pub const IMAGE_SIDE_PX: u32 = 16_384;
/// Pixels of a still: 64 Mpx are 256 MiB decoded, the most that a 1 GB board can spare for a moment.
pub const IMAGE_PIXELS: u64 = 64 << 20;
/// Longest side of a texture: V3D (Pi 4, Pi 5) has no larger ones.
pub const TEXTURE_SIDE_PX: u32 = 4_096;
/// Longest item: beyond a week it is a schedule entry.
pub const ITEM_DURATION_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Longest wait for an item to get ready: what is not there by then does not come.
pub const PREPARE_MAX_MS: u64 = 60_000;
/// Shortest item: two changes a second is the most that people can look at.
pub const ITEM_DURATION_MIN_MS: u64 = 500;
/// Longest transition: beyond it people wait for the picture.
pub const TRANSITION_MS: u64 = 5_000;
/// One message between agent and stage: a scene with every zone and long paths stays far below.
pub const LINK_JSON_BYTES: usize = 1 << 20;
/// What may follow a message: a 4K screenshot as PNG.
pub const LINK_BLOB_BYTES: usize = 64 << 20;
/// Generations kept besides the live one, for instant return.
pub const GENERATIONS_KEPT: usize = 2;
/// Records kept while the cloud is away; beyond it the oldest proofs of play go first, and a fault
/// says how many. A busy screen makes 10 000 a day: three weeks.
pub const OUTBOX_RECORDS: usize = 200_000;
/// A file of settings: the whole commented example is 10 KiB; somebody named a video.
pub const CONFIG_FILE_BYTES: u64 = 1 << 20;
/// Files in `conf.d`: more is a directory that was mistaken for it.
pub const CONFIG_FILES: usize = 64;
/// Problems that are told one by one: more than a screenful says that it is the wrong file.
pub const CONFIG_PROBLEMS: usize = 64;
/// What downloads may write for each byte of a file, in percent: interruptions cost a little.
pub const CONTENT_WRITTEN_PERCENT: u64 = 102;
/// What the store may write in a day with nothing but heartbeats: a card of 16 GB that stands 1 000
/// rewrites lasts a thousand years of it, and the flash's own multiplication has room.
pub const STORE_WRITTEN_BYTES_A_DAY: u64 = 8 << 20;
