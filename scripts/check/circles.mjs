// Circles in a directed graph: every strongly connected group of more than one node, each as one closed way through it.

/** `edges` maps a node to the set of nodes that it uses. */
export function findCircles(edges) {
  const order = new Map();
  const low = new Map();
  const stack = [];
  const circles = [];
  const visit = (node) => {
    order.set(node, order.size);
    low.set(node, order.get(node));
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)));
    }
    if (low.get(node) !== order.get(node)) return;
    const group = new Set(stack.splice(stack.indexOf(node)));
    if (group.size > 1) circles.push(wayAround([...group].sort()[0], group, edges));
  };
  for (const node of [...edges.keys()].sort()) if (!order.has(node)) visit(node);
  return circles;
}

// Shortest way from `start` back to itself, breadth first.
function wayAround(start, group, edges) {
  const cameFrom = new Map();
  const queue = [start];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const next of edges.get(node) ?? []) {
      if (next === start) {
        const way = [start];
        for (let at = node; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
        return way;
      }
      if (!group.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return [...group];
}
