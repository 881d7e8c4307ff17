//! The displays, as the compositor has told of them up to now.

use wayland_client::backend::ObjectId;
use wayland_client::protocol::wl_callback::WlCallback;
use wayland_client::protocol::wl_output::Transform;
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{
    Connection, Dispatch, Proxy, QueueHandle, WEnum, delegate_noop, event_created_child,
};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_configuration_head_v1::ZwlrOutputConfigurationHeadV1;
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_configuration_v1::{
    self, ZwlrOutputConfigurationV1,
};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_head_v1::{
    self, ZwlrOutputHeadV1,
};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_manager_v1::{
    self, ZwlrOutputManagerV1,
};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_mode_v1::{
    self, ZwlrOutputModeV1,
};

use super::super::Offer;
use super::super::places::Spot;
use crate::scene::Size;

/// The newest version of the protocol in which we know every event.
const VERSION_MAX: u32 = 4;

/// What became of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Succeeded,
    Failed,
    /// It was made for displays that have changed since.
    Cancelled,
}

/// What the compositor has told.
#[derive(Default)]
pub(super) struct Heard {
    /// Everything that it offers was named.
    pub introduced: bool,
    /// None: it has no such protocol.
    pub manager: Option<ZwlrOutputManagerV1>,
    /// Stands for the displays as they are; another one when they have changed.
    pub serial: Option<u32>,
    pub heads: Vec<Head>,
    pub answer: Option<Answer>,
}

/// A display.
pub(super) struct Head {
    pub proxy: ZwlrOutputHeadV1,
    pub name: String,
    pub on: bool,
    pub at: (i32, i32),
    pub listed: Vec<Listed>,
    current: Option<ObjectId>,
    on_its_side: bool,
    /// Pixels of one of the compositor's units.
    scale: f64,
}

/// A mode that a display lists.
pub(super) struct Listed {
    pub proxy: ZwlrOutputModeV1,
    pub offer: Offer,
}

impl Head {
    fn new(proxy: ZwlrOutputHeadV1) -> Head {
        Head {
            proxy,
            name: String::new(),
            on: false,
            at: (0, 0),
            listed: Vec::new(),
            current: None,
            on_its_side: false,
            scale: 1.0,
        }
    }

    /// What it runs at, if it lists that.
    pub(super) fn now(&self) -> Option<&Offer> {
        let is_current = |listed: &&Listed| Some(listed.proxy.id()) == self.current;
        self.listed.iter().find(is_current).map(|listed| &listed.offer)
    }

    /// Where it lies now; without extent while nobody knows its mode.
    pub(super) fn spot(&self) -> Spot {
        Spot { at: self.at, size: self.now().map_or((0, 0), |offer| self.extent(offer)) }
    }

    /// What it takes among the others at this mode.
    pub(super) fn extent(&self, offer: &Offer) -> (i32, i32) {
        #[expect(clippy::cast_possible_truncation, reason = "a side of a display")]
        let side = |px: u32| (f64::from(px) / self.scale).round() as i32;
        let (width, height) = (side(offer.size.width_px), side(offer.size.height_px));
        if self.on_its_side { (height, width) } else { (width, height) }
    }
}

impl Heard {
    fn head(&mut self, proxy: &ZwlrOutputHeadV1) -> Option<&mut Head> {
        self.heads.iter_mut().find(|head| head.proxy == *proxy)
    }

    fn listed(&mut self, proxy: &ZwlrOutputModeV1) -> Option<&mut Listed> {
        let mut all = self.heads.iter_mut().flat_map(|head| &mut head.listed);
        all.find(|listed| listed.proxy == *proxy)
    }
}

impl Dispatch<WlRegistry, ()> for Heard {
    fn event(
        heard: &mut Heard,
        registry: &WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Heard>,
    ) {
        if let wl_registry::Event::Global { name, interface, version } = event
            && interface == ZwlrOutputManagerV1::interface().name
        {
            heard.manager = Some(registry.bind(name, version.min(VERSION_MAX), handle, ()));
        }
    }
}

impl Dispatch<WlCallback, ()> for Heard {
    fn event(
        heard: &mut Heard,
        _: &WlCallback,
        _: <WlCallback as Proxy>::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Heard>,
    ) {
        heard.introduced = true;
    }
}

impl Dispatch<ZwlrOutputManagerV1, ()> for Heard {
    fn event(
        heard: &mut Heard,
        _: &ZwlrOutputManagerV1,
        event: zwlr_output_manager_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Heard>,
    ) {
        use zwlr_output_manager_v1::Event;
        match event {
            Event::Head { head } => heard.heads.push(Head::new(head)),
            Event::Done { serial } => heard.serial = Some(serial),
            _ => {}
        }
    }

    event_created_child!(Heard, ZwlrOutputManagerV1, [
        zwlr_output_manager_v1::EVT_HEAD_OPCODE => (ZwlrOutputHeadV1, ()),
    ]);
}

impl Dispatch<ZwlrOutputHeadV1, ()> for Heard {
    fn event(
        heard: &mut Heard,
        proxy: &ZwlrOutputHeadV1,
        event: zwlr_output_head_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Heard>,
    ) {
        use zwlr_output_head_v1::Event;
        let Some(head) = heard.head(proxy) else { return };
        match event {
            Event::Name { name } => head.name = name,
            Event::Enabled { enabled } => head.on = enabled != 0,
            Event::Mode { mode } => {
                let size = Size { width_px: 0, height_px: 0 };
                let offer = Offer { size, refresh_millihertz: 0, preferred: false };
                head.listed.push(Listed { proxy: mode, offer });
            }
            Event::CurrentMode { mode } => head.current = Some(mode.id()),
            Event::Position { x, y } => head.at = (x, y),
            Event::Transform { transform: WEnum::Value(transform) } => {
                head.on_its_side = matches!(
                    transform,
                    Transform::_90 | Transform::_270 | Transform::Flipped90 | Transform::Flipped270
                );
            }
            Event::Scale { scale } if scale > 0.0 => head.scale = scale,
            Event::Finished => heard.heads.retain(|head| head.proxy != *proxy),
            _ => {}
        }
    }

    event_created_child!(Heard, ZwlrOutputHeadV1, [
        zwlr_output_head_v1::EVT_MODE_OPCODE => (ZwlrOutputModeV1, ()),
    ]);
}

impl Dispatch<ZwlrOutputModeV1, ()> for Heard {
    fn event(
        heard: &mut Heard,
        proxy: &ZwlrOutputModeV1,
        event: zwlr_output_mode_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Heard>,
    ) {
        use zwlr_output_mode_v1::Event;
        if let Event::Finished = event {
            for head in &mut heard.heads {
                head.listed.retain(|listed| listed.proxy != *proxy);
            }
            return;
        }
        let Some(Listed { offer, .. }) = heard.listed(proxy) else { return };
        let positive = |number: i32| u32::try_from(number).unwrap_or(0);
        match event {
            Event::Size { width, height } => {
                offer.size = Size { width_px: positive(width), height_px: positive(height) };
            }
            Event::Refresh { refresh } => offer.refresh_millihertz = positive(refresh),
            Event::Preferred => offer.preferred = true,
            _ => {}
        }
    }
}

impl Dispatch<ZwlrOutputConfigurationV1, ()> for Heard {
    fn event(
        heard: &mut Heard,
        _: &ZwlrOutputConfigurationV1,
        event: zwlr_output_configuration_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Heard>,
    ) {
        use zwlr_output_configuration_v1::Event;
        heard.answer = match event {
            Event::Succeeded => Some(Answer::Succeeded),
            Event::Failed => Some(Answer::Failed),
            Event::Cancelled => Some(Answer::Cancelled),
            _ => None,
        };
    }
}

// It is told nothing.
delegate_noop!(Heard: ZwlrOutputConfigurationHeadV1);
