// Cuts documents out of Elasticsearch's answers as the bytes they are: parsing and printing would change numbers and spaces.

const ID = /"_id":"([^"]+)"/g
const SOURCE = '"_source":'
const TIMESTAMP_MEMBER = /,"@timestamp":"[^"]*"$/

/**
 * The documents of a search's answer, in its order. The ids are this product's (no escapes), and `"_source":` with its bare quotes
 * cannot stand inside a string, so the text can be searched.
 */
export function sourcesOf(answer: string): { readonly id: string; readonly source: string }[] {
  const found: { id: string; source: string }[] = []
  ID.lastIndex = Math.max(0, answer.indexOf('"hits":['))
  for (let match = ID.exec(answer); match !== null; match = ID.exec(answer)) {
    const at = answer.indexOf(SOURCE, ID.lastIndex)
    if (at < 0) break
    const start = at + SOURCE.length
    const end = objectEnd(answer, start)
    found.push({ id: match[1] as string, source: answer.slice(start, end) })
    ID.lastIndex = end
  }
  return found
}

/** One past the closing brace of the object that begins at `at`. */
function objectEnd(text: string, at: number): number {
  let depth = 0
  for (let n = at; n < text.length; n++) {
    const code = text.charCodeAt(n)
    if (code === 0x22) {
      // To the closing quote; an escape hides the character after it.
      for (n++; n < text.length && text.charCodeAt(n) !== 0x22; n++) if (text.charCodeAt(n) === 0x5c) n++
    } else if (code === 0x7b) depth++
    else if (code === 0x7d && --depth === 0) return n + 1
  }
  return text.length
}

/** The canonical record in a document: without the batch id (and data stream's time) that the writer put behind it, or what a raw one holds. */
export function canonicalOf(source: string, frameId: string): string {
  const tail = `,"batch_id":"${frameId}"}`
  if (source.endsWith(tail)) return `${source.slice(0, -tail.length).replace(TIMESTAMP_MEMBER, '')}}`
  try {
    const { raw } = JSON.parse(source) as { raw?: unknown }
    if (typeof raw === 'string') return raw
  } catch {
    // Not ours: compared as it is, it differs.
  }
  return source
}
