//! Under X11, by its extension RandR: the displays keep their order, and the screen that they lie on
//! grows and shrinks with them. What fails is taken back.

use x11rb::connection::Connection;
use x11rb::protocol::randr::{
    ConnectionExt as _, Crtc, GetCrtcInfoReply, ModeFlag, ModeInfo, Rotation, SetConfig,
};
use x11rb::protocol::xproto::{ConnectionExt as _, Screen, Window};
use x11rb::rust_connection::RustConnection;

use super::places::{Spot, joined};
use super::{Offer, Outcome, changed, choose, missing};
use crate::scene::{Mode, Size};

/// A display that is on.
struct Display {
    name: String,
    crtc: Crtc,
    now: GetCrtcInfoReply,
    /// Each with its number on the server.
    offers: Vec<(u32, Offer)>,
}

/// How a display shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    crtc: Crtc,
    at: (i16, i16),
    /// Of what is seen of the screen: turned with the display.
    size: (u16, u16),
    mode: u32,
    rotation: Rotation,
    outputs: Vec<u32>,
}

/// Asks all displays that are on.
pub(super) fn ask(mode: Option<Mode>) -> Outcome<Vec<String>> {
    let (connection, number) = x11rb::connect(None)?;
    let screen = connection.setup().roots.get(number).ok_or("no screen")?;
    // Nobody changes anything in between; ends with the connection.
    connection.grab_server()?;
    let displays = read(&connection, screen.root)?;
    let before: Vec<_> = displays.iter().map(Display::plan).collect();
    let mut wanted = before.clone();
    let (mut refused, mut told) = (Vec::new(), Vec::new());
    for (display, plan) in displays.iter().zip(&mut wanted) {
        let offers: Vec<_> = display.offers.iter().map(|(_, offer)| *offer).collect();
        match choose(&offers, mode) {
            Some(place) if display.offers[place].0 != plan.mode => {
                plan.take(display.offers[place]);
                told.push((&display.name, offers[place]));
            }
            Some(_) => {}
            None => refused.push(missing(&display.name, mode, &offers)),
        }
    }
    join(&before, &mut wanted);
    if wanted != before {
        set(&connection, screen, (&before, &wanted))?;
        told.iter().for_each(|(name, offer)| changed(name, offer));
    }
    Ok(refused)
}

fn read(connection: &RustConnection, root: Window) -> Outcome<Vec<Display>> {
    connection.randr_query_version(1, 3)?.reply()?;
    let found = connection.randr_get_screen_resources_current(root)?.reply()?;
    let mut displays = Vec::new();
    for crtc in found.crtcs {
        let now = connection.randr_get_crtc_info(crtc, found.config_timestamp)?.reply()?;
        let Some(output) = now.outputs.first().filter(|_| now.mode != 0) else { continue };
        let info = connection.randr_get_output_info(*output, found.config_timestamp)?.reply()?;
        let preferred = &info.modes[..usize::from(info.num_preferred).min(info.modes.len())];
        let offer = |id: &u32| {
            let mode = found.modes.iter().find(|mode| mode.id == *id)?;
            Some((*id, offer(mode, preferred.contains(id))?))
        };
        let offers = info.modes.iter().filter_map(offer).collect();
        let name = String::from_utf8_lossy(&info.name).into_owned();
        displays.push(Display { name, crtc, now, offers });
    }
    Ok(displays)
}

/// None: fields instead of whole pictures.
fn offer(mode: &ModeInfo, preferred: bool) -> Option<Offer> {
    if mode.mode_flags.contains(ModeFlag::INTERLACE) {
        return None;
    }
    let twice = if mode.mode_flags.contains(ModeFlag::DOUBLE_SCAN) { 2 } else { 1 };
    let dots = u64::from(mode.htotal) * u64::from(mode.vtotal) * twice;
    let rate = (u64::from(mode.dot_clock) * 1_000).checked_div(dots).unwrap_or(0);
    let size = Size { width_px: mode.width.into(), height_px: mode.height.into() };
    Some(Offer { size, refresh_millihertz: u32::try_from(rate).unwrap_or(0), preferred })
}

impl Display {
    fn plan(&self) -> Plan {
        Plan {
            crtc: self.crtc,
            at: (self.now.x, self.now.y),
            size: (self.now.width, self.now.height),
            mode: self.now.mode,
            rotation: self.now.rotation,
            outputs: self.now.outputs.clone(),
        }
    }
}

impl Plan {
    fn take(&mut self, (mode, offer): (u32, Offer)) {
        let side = |px: u32| u16::try_from(px).unwrap_or(u16::MAX);
        let (width, height) = (side(offer.size.width_px), side(offer.size.height_px));
        let on_its_side = self.rotation.intersects(Rotation::ROTATE90 | Rotation::ROTATE270);
        self.size = if on_its_side { (height, width) } else { (width, height) };
        self.mode = mode;
    }

    fn spot(&self) -> Spot {
        let pair = |(x, y): (u16, u16)| (i32::from(x), i32::from(y));
        Spot { at: (i32::from(self.at.0), i32::from(self.at.1)), size: pair(self.size) }
    }
}

/// Has what lay side by side do so again.
fn join(before: &[Plan], wanted: &mut [Plan]) {
    let before: Vec<_> = before.iter().map(Plan::spot).collect();
    let sizes: Vec<_> = wanted.iter().map(|plan| plan.spot().size).collect();
    let fits = |at: i32| i16::try_from(at).unwrap_or(i16::MAX);
    for (plan, (x, y)) in wanted.iter_mut().zip(joined(&before, &sizes)) {
        plan.at = (fits(x), fits(y));
    }
}

/// What all of them lie on.
fn extent(plans: &[Plan]) -> (u16, u16) {
    let side = |px: i32| u16::try_from(px.max(1)).unwrap_or(u16::MAX);
    let spots = || plans.iter().map(Plan::spot);
    let width = spots().map(|spot| spot.right()).max().unwrap_or(1);
    let height = spots().map(|spot| spot.bottom()).max().unwrap_or(1);
    (side(width), side(height))
}

fn set(
    connection: &RustConnection,
    screen: &Screen,
    (before, wanted): (&[Plan], &[Plan]),
) -> Outcome<()> {
    let (old, new) = (extent(before), extent(wanted));
    // Each display must lie on the screen at each moment.
    let both = (old.0.max(new.0), old.1.max(new.1));
    let done = resize(connection, screen, both).and_then(|()| set_all(connection, wanted));
    if let Err(error) = done {
        set_all(connection, before)?;
        resize(connection, screen, old)?;
        return Err(error);
    }
    resize(connection, screen, new)
}

fn set_all(connection: &RustConnection, plans: &[Plan]) -> Outcome<()> {
    for plan in plans {
        let Plan { crtc, at: (x, y), mode, rotation, outputs, .. } = plan;
        let now = x11rb::CURRENT_TIME;
        let found = connection
            .randr_set_crtc_config(*crtc, now, now, *x, *y, *mode, *rotation, outputs)?
            .reply()?;
        if found.status != SetConfig::SUCCESS {
            return Err(format!("the X server refused it ({:?})", found.status).into());
        }
    }
    Ok(())
}

fn resize(connection: &RustConnection, screen: &Screen, to: (u16, u16)) -> Outcome<()> {
    let now = connection.get_geometry(screen.root)?.reply()?;
    if (now.width, now.height) == to {
        return Ok(());
    }
    // Pixels keep their size.
    let millimeters =
        |px: u16, of: u16, mm: u16| (u32::from(px) * u32::from(mm) / u32::from(of.max(1))).max(1);
    let width_mm = millimeters(to.0, screen.width_in_pixels, screen.width_in_millimeters);
    let height_mm = millimeters(to.1, screen.height_in_pixels, screen.height_in_millimeters);
    Ok(connection.randr_set_screen_size(screen.root, to.0, to.1, width_mm, height_mm)?.check()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_whole_pictures() {
        let mode = ModeInfo {
            width: 1920,
            height: 1080,
            dot_clock: 148_500_000,
            htotal: 2200,
            vtotal: 1125,
            ..ModeInfo::default()
        };
        let rate = |mode: &ModeInfo| offer(mode, false).map(|offer| offer.refresh_millihertz);
        assert_eq!(rate(&mode), Some(60_000));
        assert_eq!(rate(&ModeInfo { mode_flags: ModeFlag::DOUBLE_SCAN, ..mode }), Some(30_000));
        assert_eq!(rate(&ModeInfo { mode_flags: ModeFlag::INTERLACE, ..mode }), None);
        assert_eq!(rate(&ModeInfo { htotal: 0, ..mode }), Some(0));
    }
}
