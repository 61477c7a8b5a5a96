// Attention and MLP as one block, for tables that hold whole layers: tables/whole_layers.py.

function asWholeLayers(blocks) {
  const found = [];
  let waiting = null;
  const close = (mlp) => {
    found.push({ op: "layer", dims: { ...waiting.dims, mlp } });
    waiting = null;
  };
  for (const block of blocks) {
    if (waiting !== null) {
      const joined = block.op === "mlp";
      close(joined ? block.dims.mlp : 1);
      if (joined) continue;
    }
    if (block.op === "attention") waiting = block;
    else found.push(block);
  }
  if (waiting !== null) close(1);
  return found;
}
