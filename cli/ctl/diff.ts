// The difference of two texts by lines, as `diff -u` shows it without its numbers.

/** Beyond it the texts are shown one after the other: the table below has the product of both lengths. */
const LINES_MAX = 2000

/** Lines with `  `, `- ` or `+ ` before them; empty when the texts are equal. */
export function lineDiff(before: string, after: string): string[] {
  if (before === after) return []
  const [a, b] = [before.split('\n'), after.split('\n')]
  if (a.length > LINES_MAX || b.length > LINES_MAX)
    return [...a.map((line) => `- ${line}`), ...b.map((line) => `+ ${line}`)]
  // Longest common subsequence, from the end: https://en.wikipedia.org/wiki/Longest_common_subsequence
  const width = b.length + 1
  const lengths = new Uint16Array((a.length + 1) * width)
  const at = (i: number, j: number) => lengths[i * width + j] as number
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const lines: string[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(`  ${a[i]}`)
      i++
      j++
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) lines.push(`- ${a[i++]}`)
    else lines.push(`+ ${b[j++]}`)
  }
  return lines
}
