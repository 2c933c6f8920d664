// What changed between two texts, line by line: the longest common subsequence, found by the table
// of its lengths over what is left between the equal beginnings and ends.

const kCellsMax = 4_000_000; // past it the middle is shown as replaced whole

export interface DiffLine {
  sign: ' ' | '-' | '+';
  text: string;
}

function middle(a: string[], b: string[]): DiffLine[] {
  const removed = a.map((text): DiffLine => ({ sign: '-', text }));
  const added = b.map((text): DiffLine => ({ sign: '+', text }));
  if (a.length * b.length > kCellsMax) return [...removed, ...added];
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width); // of what follows (i, j)
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      lengths[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const [left, right] = [a[i], b[j]];
    if (left === undefined || right === undefined) break;
    if (left === right) {
      lines.push({ sign: ' ', text: left });
      ++i;
      ++j;
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      lines.push({ sign: '-', text: left });
      ++i;
    } else {
      lines.push({ sign: '+', text: right });
      ++j;
    }
  }
  return [...lines, ...removed.slice(i), ...added.slice(j)];
}

const linesOf = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

export function diff(from: string, to: string): DiffLine[] {
  const a = linesOf(from);
  const b = linesOf(to);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) ++head;
  let tail = 0;
  while (
    tail < Math.min(a.length, b.length) - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) {
    ++tail;
  }
  const same = (texts: string[]) => texts.map((text): DiffLine => ({ sign: ' ', text }));
  return [
    ...same(a.slice(0, head)),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail)),
  ];
}
