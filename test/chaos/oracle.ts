// The oracle: what was written against what each backend and the dead letters hold, record by record.

/** `namespace:number`, the name of a record in a run. */
export type Key = string

/** One stored document or entry. */
export interface Stored {
  readonly rid: string
  /** Undefined: it carries no number of this run. */
  readonly key: Key | undefined
  /** Of the canonical record; undefined where the backend holds another form of it (a raw document). */
  readonly hash: number | undefined
  readonly text: string
}

export interface Evidence {
  /** Lines in files: each must be there. */
  readonly written: ReadonlySet<Key>
  /** Pushes that were answered 200: each must be there. */
  readonly pushed: ReadonlySet<Key>
  /** Pushes whose answer was lost: at most once. */
  readonly unsure: ReadonlySet<Key>
  /** In frames that the harness has made unreadable: lost or read again, both is allowed, but only for these. */
  readonly spoiled: ReadonlySet<Key>
  /** Whether a node has said that it found a corrupt place. */
  readonly corruptionTold: boolean
  readonly held: Readonly<Record<string, readonly Stored[]>>
  readonly letters: Readonly<Record<string, readonly { key: Key | undefined; reason: string }[]>>
}

export interface Verdict {
  readonly violations: readonly string[]
  /** Distinct records demanded. */
  readonly records: number
  readonly unsureStored: number
  readonly deadLetters: number
  /** Entries beyond the first of a record id: Loki keeps one where a stream was sharded, or went on as a repair stream. */
  readonly copies: number
  /** Missing or doubled, all in frames that the harness spoiled. */
  readonly spoiledLost: number
  readonly spoiledTwice: number
  /** Stored, and in the dead letters of the same backend as well. */
  readonly storedAndBuried: number
}

type Counts = { -readonly [Name in keyof Omit<Verdict, 'violations' | 'records'>]: number }

const SHOWN = 8

export function judge(evidence: Evidence): Verdict {
  const violations: string[] = []
  const counts: Counts = {
    unsureStored: 0,
    deadLetters: 0,
    copies: 0,
    spoiledLost: 0,
    spoiledTwice: 0,
    storedAndBuried: 0,
  }
  for (const backend of Object.keys(evidence.held)) judgeBackend(backend, evidence, violations, counts)
  violations.push(...differing(evidence.held))
  if (counts.spoiledLost > 0 && !evidence.corruptionTold)
    violations.push(
      `${counts.spoiledLost} records of spoiled frames are missing, and no node said a word of it`,
    )
  return { violations, records: evidence.written.size + evidence.pushed.size, ...counts }
}

/** `backend namespace:number` of what a backend neither holds nor has buried; what the harness has spoiled is not waited for. */
export function lacking({ written, pushed, spoiled, held, letters }: Evidence): string[] {
  return Object.entries(held).flatMap(([backend, stored]) => {
    const there = new Set(stored.map(({ key }) => key))
    for (const { key } of letters[backend] ?? []) there.add(key)
    return [...written, ...pushed]
      .filter((key) => !there.has(key) && !spoiled.has(key))
      .map((key) => `${backend} ${key}`)
  })
}

function judgeBackend(backend: string, evidence: Evidence, violations: string[], counts: Counts): void {
  const { written, pushed, unsure, spoiled } = evidence
  const known = (key: Key) => written.has(key) || pushed.has(key) || unsure.has(key)
  const rids = new Set<string>()
  const times = new Map<Key, number>()
  const aliens: string[] = []
  for (const { rid, key, text } of evidence.held[backend] ?? []) {
    if (key === undefined || !known(key)) aliens.push(`${rid} ${key ?? text.slice(0, 200)}`)
    else if (rids.has(rid)) counts.copies++
    else times.set(key, (times.get(key) ?? 0) + 1)
    rids.add(rid)
  }
  const buried = new Set<Key>()
  for (const { key, reason } of evidence.letters[backend] ?? []) {
    counts.deadLetters++
    if (key === undefined || !known(key)) aliens.push(`dead letter ${key ?? 'without a number'} (${reason})`)
    else buried.add(key)
    if (reason === '') violations.push(`${backend}: a dead letter without a reason: ${key}`)
  }
  const missing: Key[] = []
  for (const key of [...written, ...pushed]) {
    if (times.has(key) || buried.has(key)) continue
    if (spoiled.has(key)) counts.spoiledLost++
    else missing.push(key)
  }
  const twice = [...times].filter(([, count]) => count > 1).map(([key]) => key)
  counts.spoiledTwice += twice.filter((key) => spoiled.has(key)).length
  counts.storedAndBuried += [...buried].filter((key) => times.has(key)).length
  counts.unsureStored += [...unsure].filter((key) => times.has(key)).length
  tell(violations, `${backend}: lost`, missing)
  tell(
    violations,
    `${backend}: stored more than once`,
    twice.filter((key) => !spoiled.has(key)),
  )
  tell(violations, `${backend}: never written, or refused`, aliens)
}

/** Records that two backends hold in different bytes. */
function differing(held: Evidence['held']): string[] {
  const hashes = new Map<string, number>()
  const found = new Set<string>()
  for (const stored of Object.values(held)) {
    for (const { rid, hash } of stored) {
      if (hash === undefined) continue
      const other = hashes.get(rid)
      if (other !== undefined && other !== hash) found.add(rid)
      hashes.set(rid, hash)
    }
  }
  const violations: string[] = []
  tell(violations, 'not the same bytes in both backends', [...found])
  return violations
}

function tell(violations: string[], what: string, which: readonly string[]): void {
  if (which.length === 0) return
  const more = which.length > SHOWN ? `, and ${which.length - SHOWN} more` : ''
  violations.push(`${what} (${which.length}): ${which.slice(0, SHOWN).join(', ')}${more}`)
}

/** The name of a canonical record, a raw document or a dead letter's record; undefined where it has none. */
export function keyOf(record: string): Key | undefined {
  const namespace = /"namespace":"([^"]*)"/.exec(record)?.[1]
  // A record inside a text inside a record has its quotes escaped more than once.
  const number = /\bseq\\*"?[:=](\d+)/.exec(record)?.[1]
  return namespace === undefined || number === undefined ? undefined : `${namespace}:${number}`
}
