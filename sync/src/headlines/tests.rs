use std::fs;

use proptest::prelude::*;
use vitrine_config::limits;

use super::shelf::{Kept, Shelf};
use super::*;

fn lines(text: &str) -> Vec<String> {
    read(text.as_bytes(), None).unwrap_or_else(|e| panic!("{text:.80}: {e}"))
}

const RSS: &str = r#"<?xml version="1.0"?>
<!DOCTYPE rss>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/">
  <channel>
    <title>The channel, no headline</title>
    <image><title>nor this</title></image>
    <item>
      <media:title>nor this</media:title>
      <title>Rain &amp; wind:   caf&eacute;s &#8220;closed&#8221;</title>
      <description>More of it</description>
    </item>
    <item><title><![CDATA[<b>Bold</b> &amp; plain<br/>next]]></title></item>
    <item><description>&lt;p&gt;No title&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt; here</description></item>
    <item><title/></item>
    <item><title>3 &lt; 5 &amp;amp; AT&amp;T</title></item>
  </channel>
</rss>"#;

#[test]
fn rss_is_read() {
    assert_eq!(
        lines(RSS),
        ["Rain & wind: cafés “closed”", "Bold & plain next", "No title here", "3 < 5 & AT&T",]
    );
}

#[test]
fn atom_is_read() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom">
        <title>no</title>
        <entry><title>Plain</title><summary>no</summary></entry>
        <entry><title type="text">5 &lt;b&gt; 3</title></entry>
        <entry><title type="html">&lt;em&gt;Marked&lt;/em&gt; up</title></entry>
        <entry><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">In<br/>line <b>too</b></div></title></entry>
        <entry><content type="html">&lt;p&gt;Only content&lt;/p&gt;</content></entry>
    </feed>"#;
    assert_eq!(lines(atom), ["Plain", "5 <b> 3", "Marked up", "In line too", "Only content"]);
    let prefixed = r#"<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:title>x</a:title></a:entry></a:feed>"#;
    assert_eq!(lines(prefixed), ["x"]);
}

#[test]
fn older_rss_is_read() {
    let rdf = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
        <channel><title>no</title></channel><item><title>One</title></item><item><title>Two</title></item></rdf:RDF>"#;
    assert_eq!(lines(rdf), ["One", "Two"]);
}

#[test]
fn json_feed_is_read() {
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "no", "items": [
        {"id": "1", "title": "One\n line"}, {"id": "2", "content_html": "<p>Two &uuml;</p>"},
        {"id": "3", "content_text": "Three"}, {"id": "4", "url": "nothing to read"}]}"#;
    assert_eq!(lines(json), ["One line", "Two ü", "Three"]);
}

#[test]
fn what_is_no_feed_says_what_it_is() {
    for (text, says) in [
        ("", "is empty"),
        ("just words", "is empty, or no XML"),
        ("<html><body>Sign in</body></html>", "begins with <html>"),
        ("<rss><channel><item><title>Half", "breaks off"),
        ("<rss><channel></channel></rss>", "without a single headline"),
        ("{\"version\": \"2\"}", "but no JSON Feed"),
        ("{\"version\": ", "is no JSON Feed"),
        ("<rss><channel><item><title>a</title></item></channel><!-- ", "is no XML"),
    ] {
        let error = read(text.as_bytes(), None).unwrap_err();
        assert!(error.contains(says), "{text:?}: {error}");
    }
}

#[test]
fn other_encodings_are_read() {
    let (head, tail) = ("<rss><channel><item><title>", "</title></item></channel></rss>");
    let latin = [head.as_bytes(), b"Gr\xfc\xdfe", tail.as_bytes()].concat();
    let declared = [b"<?xml version=\"1.0\" encoding='ISO-8859-1'?>", &latin[..]].concat();
    let greek = [head.as_bytes(), b"\xc3\xe5\xe9\xe1", tail.as_bytes()].concat();
    let wide: Vec<u8> =
        format!("\u{feff}{head}Grüße{tail}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (case, bytes, media_type, want) in [
        ("declared", &declared, None, "Grüße"),
        ("said", &latin, Some("text/xml; charset=windows-1252"), "Grüße"),
        ("said in quotes", &greek, Some("text/xml; charset=\"iso-8859-7\""), "Γεια"),
        ("marked", &wide, None, "Grüße"),
    ] {
        let got = read(bytes, media_type).map(|lines| lines.join("|"));
        assert_eq!(got.as_deref(), Ok(want), "case {case:?}");
    }
}

#[test]
fn lines_are_few_and_short() {
    let item = format!("<item><title>{}</title></item>", "ä".repeat(5_000));
    let feed = format!("<rss><channel>{}</channel></rss>", item.repeat(500));
    let lines = lines(&feed);
    assert_eq!(lines.len(), limits::FEED_HEADLINES);
    assert!(lines.iter().all(|line| line.chars().count() == limits::HEADLINE_CHARS + 1));
}

#[test]
fn what_would_turn_the_line_behind_it_is_dropped() {
    let feed =
        "<rss><channel><item><title>\u{202e}abc\u{0007} \u{2067}d</title></item></channel></rss>";
    assert_eq!(lines(feed), ["abc d"]);
}

/// A feed of two megabytes of markup would otherwise be at work for minutes.
#[test]
fn no_more_markup_is_read_than_a_headline_takes() {
    let html = |n: usize| format!("{}late", "<i></i>".repeat(n));
    for (case, html, want) in [("enough", html(2_000), Some("late")), ("more", html(20_000), None)]
    {
        let rss =
            format!("<rss><channel><item><title><![CDATA[{html}]]></title></item></channel></rss>");
        let json = format!(
            "{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{{\"content_html\":\"{html}\"}}]}}"
        );
        for feed in [rss, json] {
            let line = read(feed.as_bytes(), None).ok().and_then(|mut lines| lines.pop());
            assert_eq!(line.as_deref(), want, "{case}: {:.30}", feed);
        }
    }
}

/// A billion laughs: entities that a document declares itself are not expanded.
#[test]
fn entities_of_the_document_are_not_expanded() {
    let feed = r#"<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
        <rss><channel><item><title>&b; &unknown;</title></item></channel></rss>"#;
    assert_eq!(lines(feed), ["&b; &unknown;"]);
}

proptest! {
    #[test]
    fn nothing_that_is_sent_leaves_markup_or_controls(
        pieces in prop::collection::vec(prop_oneof![
            Just("<b>"), Just("</b>"), Just("&lt;"), Just("&#x7;"), Just("&amp;"), Just("<![CDATA["),
            Just("]]>"), Just("<title>"), Just("</title>"), Just("<item>"), Just("</item>"),
            Just("\u{0}"), Just("words"), Just("&nbsp;"), Just("<!--"), Just("-->"), Just("é"),
        ], 0..40),
    ) {
        let inside = pieces.concat();
        let feed = format!("<rss><channel><item><title>{inside}</title></item></channel></rss>");
        for line in read(feed.as_bytes(), None).unwrap_or_default() {
            prop_assert!(!line.is_empty() && !line.contains(char::is_control), "{line:?}");
            prop_assert!(!line.contains("</b>"), "{line:?}");
        }
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, None);
        let _ = read(&[b"<rss>", &bytes[..]].concat(), None);
        let _ = read(&[b"{\"version\":\"https://jsonfeed.org/version/1\",", &bytes[..]].concat(), None);
    }
}

#[test]
fn what_is_kept_is_found_again_and_what_is_broken_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path());
    assert!(shelf.load().is_empty());
    let kept = |url: &str| Kept {
        url: url.into(),
        etag: Some("\"1\"".into()),
        last_modified: None,
        lines: vec!["one".into(), "two".into()],
    };
    shelf.keep(&kept("https://a")).unwrap();
    shelf.keep(&kept("https://b")).unwrap();
    fs::File::create(dir.path().join("headlines/half")).unwrap();
    let found = shelf.load();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["https://a", "https://b"]);
    assert_eq!(found["https://a"], kept("https://a"));
    shelf.forget("https://a").unwrap();
    assert_eq!(shelf.load().len(), 1);
    shelf.wipe().unwrap();
    shelf.wipe().unwrap();
    assert!(shelf.load().is_empty());
}
