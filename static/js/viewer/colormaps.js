/** Colour maps for grey maps: 256 entries of [r, g, b]. */

// Every 16th entry of matplotlib's viridis (CC0), interpolated between.
const VIRIDIS_STOPS = [
  [68, 1, 84], [72, 26, 108], [71, 47, 125], [65, 68, 135], [57, 86, 140], [49, 104, 142], [42, 120, 142], [35, 136, 142],
  [31, 152, 139], [34, 168, 132], [53, 183, 121], [84, 197, 104], [122, 209, 81], [165, 219, 54], [210, 226, 27], [253, 231, 37],
];

function interpolate(stops) {
  return Array.from({ length: 256 }, (_, value) => {
    const position = (value / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(position), stops.length - 2);
    const share = position - low;
    return stops[low].map((channel, i) => Math.round(channel + (stops[low + 1][i] - channel) * share));
  });
}

/** Piecewise linear JET: blue, cyan, yellow, red. */
function jet() {
  const ramp = (x) => Math.round(255 * Math.max(0, Math.min(1, 1.5 - Math.abs(x))));
  return Array.from({ length: 256 }, (_, value) => {
    const x = (value / 255) * 4;
    return [ramp(x - 3), ramp(x - 2), ramp(x - 1)];
  });
}

/** White on the film: for eyes that read no colours, and for paper. */
const grey = () => Array.from({ length: 256 }, () => [255, 255, 255]);

export const COLORMAPS = { viridis: interpolate(VIRIDIS_STOPS), jet: jet(), grey: grey() };
