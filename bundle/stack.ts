// Stack traces of a bundle name the sources it was made of.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type LineTable, sourceOf } from './line-table.js'

/** From now on, in this thread. The table of the bundle's lines lies beside `file`, and is read at the first stack that anybody looks at. */
export function nameSources(file: string): void {
  let table: LineTable | undefined
  function frame(site: NodeJS.CallSite & { toString(): string }): string {
    const text = site.toString()
    const [line, column] = [site.getLineNumber(), site.getColumnNumber()]
    // Compiled code keeps the name that its file had when it was built, which may have been elsewhere.
    const name = site.getFileName()
    if (line === null || column === null || name == null || path.basename(name) !== path.basename(file))
      return text
    table ??= readTable(file)
    const source = sourceOf(table, line, column)
    if (source === undefined) return text
    return text.replace(`${name}:${line}:${column}`, path.join(path.dirname(file), source))
  }
  // The text is V8's own, https://v8.dev/docs/stack-trace-api
  Error.prepareStackTrace = (error, sites) =>
    [headOf(error), ...sites.map((site) => `    at ${frame(site)}`)].join('\n')
}

function headOf(error: Error): string {
  try {
    return String(error)
  } catch {
    return '<error>'
  }
}

function readTable(file: string): LineTable {
  try {
    const { buffer, byteOffset, byteLength } = readFileSync(`${file}.lines`)
    const changes = new Uint32Array(buffer.slice(byteOffset, byteOffset + byteLength))
    return { sources: JSON.parse(readFileSync(`${file}.sources.json`, 'utf8')) as string[], changes }
  } catch {
    // Without it the bundle's own lines are still something to go by.
    return { sources: [], changes: new Uint32Array() }
  }
}
