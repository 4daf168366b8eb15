//! Moves the engine's counts to the proxy's metrics.

use std::collections::HashMap;

use tracegate_engine::metrics::{Metric, Metrics};

use crate::host;

/// The ids of the metrics that were used so far. Their number is bounded: names and labels come from
/// closed sets.
#[derive(Default)]
pub(crate) struct Meters {
    ids: HashMap<Metric, u32>,
}

impl Meters {
    /// Moves what was counted since the last time. A count that the proxy does not take is lost:
    /// metrics decide nothing.
    pub(crate) fn publish(&mut self, metrics: &mut Metrics) {
        for (metric, value) in metrics.take() {
            let gauge = metric.is_gauge();
            let Some(id) = self.id(metric) else { continue };
            let _ = if gauge {
                host::record_metric(id, value)
            } else {
                host::increment_metric(id, value)
            };
        }
    }

    fn id(&mut self, metric: Metric) -> Option<u32> {
        if let Some(id) = self.ids.get(&metric) {
            return Some(*id);
        }
        let id = host::define_metric(metric.is_gauge(), &metric.name()).ok()?;
        self.ids.insert(metric, id);
        Some(id)
    }
}
