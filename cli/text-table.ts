// Tables and figures as text: columns aligned, numbers short, nothing in them that a terminal would obey.

/** For what logs say: line breaks and tabs stay visible as escapes, control characters lose their effect. */
export function printable(text: string): string {
  return text
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replace(/\p{Cc}/gu, '\ufffd')
}

/** The same for text of several lines. */
export const printableLines = (text: string) => text.split('\n').map(printable).join('\n')

/** Columns from the second on are right-aligned, those from `textFrom` on are not. Cells are made printable. */
export function table(raw: readonly (readonly string[])[], textFrom = Number.POSITIVE_INFINITY): string[] {
  const rows = raw.map((cells) => cells.map(printable))
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => (cells[column] ?? '').length)),
  )
  return rows.map((cells) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column === 0 || column >= textFrom ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('   ')
      .trimEnd(),
  )
}

export const whole = (value: number) => Math.round(value).toLocaleString('en-US')

/** 1000-based, three digits. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let size = value
  let unit = 0
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 || size >= 99.95 ? size.toFixed(0) : size.toFixed(1)} ${units[unit]}`
}

/** `1.5s`, `42s`, `3m 07s`, `2h 05m`, `12d 03h`. */
export function span(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  if (seconds < 10) return `${seconds.toFixed(1)}s`
  if (seconds < 60) return `${Math.floor(seconds)}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${two((seconds % 3600) / 60)}m`
  return `${Math.floor(seconds / 86_400)}d ${two((seconds % 86_400) / 3600)}h`
}
