// Reads the answer of ListObjectsV2 (docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html) without an XML library.

export interface ObjectPage {
  readonly objects: readonly { readonly key: string; readonly bytes: number; readonly storedAtMs: number }[]
  /** Continuation token, when there is more. */
  readonly next?: string
}

const CONTENTS = /<Contents>([\s\S]*?)<\/Contents>/g

/** Objects without a key, and anything that is no such answer, are left out. */
export function parseList(xml: string): ObjectPage {
  const objects = [...xml.matchAll(CONTENTS)].flatMap(([, part = '']) => {
    const key = element(part, 'Key')
    const storedAtMs = Date.parse(element(part, 'LastModified') ?? '')
    if (key === undefined) return []
    return [
      {
        key,
        bytes: Number(element(part, 'Size') ?? 0),
        storedAtMs: Number.isNaN(storedAtMs) ? 0 : storedAtMs,
      },
    ]
  })
  const rest = xml.replace(CONTENTS, '')
  const next = element(rest, 'IsTruncated') === 'true' ? element(rest, 'NextContinuationToken') : undefined
  return { objects, ...(next === undefined ? {} : { next }) }
}

function element(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
  return text === undefined ? undefined : unescaped(text)
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name: string) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(String(hex), 16))
    return ENTITIES[name] ?? whole
  })
}
