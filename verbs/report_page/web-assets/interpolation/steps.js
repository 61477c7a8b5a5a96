// Steps between the tiles of a runtime's matrix kernels: tables/grids/steps.py.

const FEW_TILES = 2;

// Between which levels an axis has a step for each width; null: it has none; []: by remainder.
function steppedLevels(levels, tile) {
  if (levels.length < 2) return null;
  if (!levels.some((level) => level % tile)) return [];
  return levels[levels.length - 1] - levels[0] <= FEW_TILES * tile ? levels : null;
}

// Whether XNNPACK takes the kernel of half tiles for so many columns.
function takesHalfTiles(width, columns) {
  const padding = (tile) => (tile - (width % tile)) % tile;
  return padding(columns / 2) < padding(columns) && padding(columns) > 0.01 * width;
}

// How many times as long a block takes as the line between a grid's levels says.
function stepFactor(steps, axes, levels, dims) {
  let factor = 1;
  axes.forEach((axis, i) => {
    const factors = steps.factors[axis];
    if (!factors) return;
    const stepped = steppedLevels(levels[i], steps.tile);
    if (stepped === null || stepped.join() !== steps.levels[axis].join()) return;
    const place = stepped.length
      ? Math.min(Math.max(dims[i], stepped[0]), stepped[stepped.length - 1]) - stepped[0]
      : takesHalfTiles(dims[i], steps.columns) ? dims[i] % steps.tile : 0;
    factor *= factors[place];
  });
  return factor;
}
