// Sorts lines by their second as far as a bounded memory reaches.

export interface SecondOfLines {
  readonly secondMs: number
  /** In the order in which they were added. */
  readonly lines: readonly Buffer[]
}

export interface SortWindow {
  add(secondMs: number, line: Buffer): void
  /** The oldest seconds, when the window is full: half of it then is left. */
  overflow(): SecondOfLines[]
  rest(): SecondOfLines[]
}

export function createWindow(bytesMax: number): SortWindow {
  const seconds = new Map<number, { lines: Buffer[]; bytes: number }>()
  let held = 0
  function take(bytesLeft: number): SecondOfLines[] {
    const taken: SecondOfLines[] = []
    for (const secondMs of [...seconds.keys()].sort((a, b) => a - b)) {
      if (held <= bytesLeft) break
      const { lines, bytes } = seconds.get(secondMs) as { lines: Buffer[]; bytes: number }
      seconds.delete(secondMs)
      held -= bytes
      taken.push({ secondMs, lines })
    }
    return taken
  }
  return {
    add(secondMs, line) {
      const known = seconds.get(secondMs)
      if (known === undefined) seconds.set(secondMs, { lines: [line], bytes: line.length })
      else {
        known.lines.push(line)
        known.bytes += line.length
      }
      held += line.length
    },
    overflow: () => (held > bytesMax ? take(bytesMax / 2) : []),
    rest: () => take(-1),
  }
}
