// Every NATS subject, stream and bucket of the product, made in one place so that accounts can grant them apart.

/** Names on the server. */
export const CONFIG_BUCKET = 'millrace-config'
export const CAPTURES_BUCKET = 'millrace-captures'
export const LOGS_STREAM = 'MILLRACE_LOGS'
export const PARTS_STREAM = 'MILLRACE_PARTS'
export const AUDIT_STREAM = 'MILLRACE_AUDIT'
export const DEAD_LETTERS_STREAM = 'MILLRACE_DLQ'
/** The micro service, as `nats micro ls` shows it. */
export const SERVICE_NAME = 'millrace'

/**
 * A name as one token of a subject or of a key: every byte but A-Z a-z 0-9 - _ becomes `=XX`. Names of hosts have dots in them, and
 * a space or a wildcard in a subject would mean something else. Two names never share a token.
 */
export function subjectToken(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/gu, (char) =>
    [...new TextEncoder().encode(char)]
      .map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  )
}

/** The name behind a token; undefined when no name has it. */
export function nameOfToken(token: string): string | undefined {
  const bytes: number[] = []
  for (let at = 0; at < token.length; at++) {
    if (token[at] !== '=') {
      bytes.push(token.charCodeAt(at))
      continue
    }
    bytes.push(Number.parseInt(token.slice(at + 1, at + 3), 16))
    at += 2
  }
  const name = new TextDecoder().decode(Uint8Array.from(bytes))
  return subjectToken(name) === token ? name : undefined
}

/** Once a second each node tells what it has seen of each service; only the node that sums listens. */
export const trafficSubject = (cluster: string, node: string) =>
  `millrace.traffic.${subjectToken(cluster)}.${subjectToken(node)}`
export const trafficOfAll = (cluster: string) => `millrace.traffic.${subjectToken(cluster)}.*`
/** Once a second the summing node tells what all nodes have seen; every node listens. */
export const trafficSumSubject = (cluster: string) => `millrace.traffic-sum.${subjectToken(cluster)}`
/** Asks a node, all nodes or the summing node to say everything again, names included. No name's token is `=all` or `=sum`. */
export const trafficAskSubject = (cluster: string, node: string) =>
  `millrace.traffic-ask.${subjectToken(cluster)}.${subjectToken(node)}`
export const trafficAskAll = (cluster: string) => `millrace.traffic-ask.${subjectToken(cluster)}.=all`
export const trafficAskSum = (cluster: string) => `millrace.traffic-ask.${subjectToken(cluster)}.=sum`

/** A verb of one node: accounts grant reading and changing by the last token. */
export const controlSubject = (node: string, verb: string) => `millrace.ctl.${subjectToken(node)}.${verb}`

/** Frames of a node on their way to the writers. */
export const logsSubject = (cluster: string, node: string) =>
  `millrace.logs.${subjectToken(cluster)}.${subjectToken(node)}`
export const LOGS_OF_ALL = 'millrace.logs.>'
const LOGS_PREFIX = 'millrace.logs.'
/** Pieces of a frame that is larger than a message may be: a copy for each backend, which its writer removes when it has them. */
export const PARTS_OF_ALL = 'millrace.parts.>'
export const partsOfBackend = (backend: string) => `millrace.parts.${backend}.>`
/** `logs` is the subject on which the frame itself is told. */
export const partsOfFrame = (backend: string, logs: string, frame: string) =>
  `millrace.parts.${backend}.${logs.slice(LOGS_PREFIX.length)}.${frame}.>`
/** `partBytes` is part of it, since a frame may be published again after the server's limit has changed. */
export const partSubject = (backend: string, logs: string, frame: string, partBytes: number, n: number) =>
  `millrace.parts.${backend}.${logs.slice(LOGS_PREFIX.length)}.${frame}.${partBytes}.${n}`
export const AUDIT_OF_ALL = 'millrace.audit.>'
/** Tasks of the nodes that write to the same backends; `.first` and `.again` follow, by the stage. `backends`: a token that stands for those. */
export const auditSubjects = (cluster: string, backends: string) =>
  `millrace.audit.${subjectToken(cluster)}.${backends}`
/** Begins the names of the consumers of those tasks: what a token may hold, a consumer's name may too. */
export const auditConsumers = (cluster: string, backends: string) =>
  `audit-${subjectToken(cluster)}-${backends}`
/** What auditors tell each other: frames that were checked for a node, and tasks that only it can mend. Not in a stream. */
export const auditorSubject = (cluster: string, node: string) =>
  `millrace.auditor.${subjectToken(cluster)}.${subjectToken(node)}`

/** Asks a node for a frame of its journal, piece by piece: for nodes that mend what it has no backends for. */
export const auditorFrameSubject = (cluster: string, node: string) => `${auditorSubject(cluster, node)}.frame`

export const DEAD_LETTERS_OF_ALL = 'millrace.dlq.>'
/** What names a dead letter: a record, and the backend that refused it. */
export interface LetterName {
  readonly backend: string
  readonly frame: string
  readonly n: number
}
/** A subject for each letter: however often one is put, the stream holds it once. */
export const deadLetterSubject = (cluster: string, node: string, { backend, frame, n }: LetterName) =>
  `millrace.dlq.${subjectToken(cluster)}.${subjectToken(node)}.${subjectToken(backend)}.${subjectToken(frame)}.${n}`
/** The letters themselves, of any node and backend or of one. */
export const deadLettersOf = (cluster: string, node?: string, backend?: string) =>
  `millrace.dlq.${subjectToken(cluster)}.${tokenOrAny(node)}.${tokenOrAny(backend)}.*.*`
/** The letters of one frame, whichever backend refused them. */
export const deadLettersOfFrame = (cluster: string, frame: string) =>
  `millrace.dlq.${subjectToken(cluster)}.*.*.${subjectToken(frame)}.*`
/** One letter, whichever node put it there. */
export const deadLetterOfAnyNode = (cluster: string, { backend, frame, n }: LetterName) =>
  `millrace.dlq.${subjectToken(cluster)}.*.${subjectToken(backend)}.${subjectToken(frame)}.${n}`
/** Pieces of a letter that is larger than a message may be lie beneath its own subject. */
export const deadLetterPart = (letter: string, partBytes: number, n: number) => `${letter}.${partBytes}.${n}`

const tokenOrAny = (name: string | undefined) => (name === undefined ? '*' : subjectToken(name))

/** The letter that a subject names; undefined for pieces and what is none of ours. */
export function letterOfSubject(subject: string): (LetterName & { readonly node: string }) | undefined {
  const [, , , node = '', backend = '', frame = '', n = '', ...more] = subject.split('.')
  const names = [node, backend, frame].map(nameOfToken)
  if (more.length > 0 || !/^\d{1,9}$/.test(n) || names.includes(undefined)) return undefined
  return { node: names[0] as string, backend: names[1] as string, frame: names[2] as string, n: Number(n) }
}

/**
 * What is written into the bucket `millrace-config` is said again by the server on these: one message for any number of nodes, where
 * a watch is a consumer on the server for each. Nobody but the server needs to publish here.
 */
export const configSubject = (key: string) => `millrace.config.${key}`
export const CONFIG_OF_ALL = configSubject('>')

/** Keys of the bucket `millrace-config`. */
export const SAMPLING_KEY = 'sampling'
export const CANARY_KEY = 'canary.sampling'
export const nodeKey = (node: string) => `nodes.${subjectToken(node)}`
