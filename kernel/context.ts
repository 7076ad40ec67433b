// Contexts: what the host knows of a file or source, rendered once as JSON text in kernel memory for emit to splice in.
import type { Kernel } from './kernel.js'
import { TRUST } from './table.js'

export interface ContextFields {
  /** Small integer of the caller's choice, unique among living contexts: part of the stream key. */
  readonly id: number
  /** TRUST bits. NAMESPACE, POD_UID, … : the record's own member is dropped. LABELS is added when labels are given. */
  readonly trust: number
  /** For records without a service_name of their own. */
  readonly service_name: string
  readonly log_type: 'app' | 'audit' | 'metric'
  /** For records without a level: 0 unknown, 1 TRACE … 6 FATAL. */
  readonly log_level: number
  readonly pod_uid: string
  readonly namespace: string
  readonly cluster_id: string
  readonly pod_name?: string
  readonly container_name?: string
  readonly node_name?: string
  /** Written as `kubernetes.labels.<key>`, in this order. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface RenderedContext {
  /** Address that judge and emit take. */
  readonly ptr: number
  /** Labels that did not fit into the cell (to be counted by the caller). */
  readonly droppedLabels: readonly string[]
}

export interface ContextArena {
  readonly capacity: number
  used(): number
  /** Writes a context into a free cell, or over `reuse`. Errors: `kernel.contexts` (no free cell), `kernel.context` (fields too long). */
  render(fields: ContextFields, reuse?: number): RenderedContext
  /** Gives the cell back; the address must not be used any more. */
  release(ptr: number): void
}

export const CONTEXT_CELL_BYTES = 4096

/** Word numbers of a context, the same as in assembly/context.ts. Each *pair* is (address, length). */
export const CONTEXT_WORD = {
  TRUST: 0,
  /** Quoted value. */
  SERVICE: 1,
  /** `,"pod_uid":…,"namespace":…,"cluster_id":…` */
  BLOCK_A: 3,
  /** `,"pod_name":…,"container_name":…,"node_name":…`, what is known of it. */
  BLOCK_B: 5,
  LABELS: 7,
  LOG_TYPE: 9,
  ID: 11,
  LOG_TYPE_NUMBER: 12,
  LEVEL: 13,
  POD_UID: 16,
  NAMESPACE: 18,
  CLUSTER_ID: 20,
  POD_NAME: 22,
  CONTAINER_NAME: 24,
  NODE_NAME: 26,
  /** Block A, `,"log_type":…`, block B as one piece. */
  BLOCK_ALL: 28,
} as const

const HEADER_BYTES = 128
const LOG_TYPE_NUMBERS = { app: 0, audit: 1, metric: 2 } as const
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function contextError(code: string, text: string): Error {
  return Object.assign(new Error(text), { code })
}

/** JSON text of a string; a lone surrogate, which UTF-8 cannot carry, becomes U+FFFD. */
function quote(text: string): string {
  return JSON.stringify(decoder.decode(encoder.encode(text)))
}

function writer(kernel: Kernel, ptr: number) {
  const at0 = ptr / 4
  kernel.u32.fill(0, at0, at0 + HEADER_BYTES / 4)
  let at = ptr + HEADER_BYTES
  const fits = (bytes: number): boolean => at + bytes <= ptr + CONTEXT_CELL_BYTES
  return {
    word: (word: number, value: number): void => void (kernel.u32[at0 + word] = value),
    pair(word: number, from: number, length: number): void {
      kernel.u32[at0 + word] = from
      kernel.u32[at0 + word + 1] = length
    },
    position: (): number => at,
    tryText(text: string): boolean {
      const bytes = encoder.encode(text)
      if (!fits(bytes.length)) return false
      kernel.u8.set(bytes, at)
      at += bytes.length
      return true
    },
  }
}

function renderInto(kernel: Kernel, ptr: number, fields: ContextFields): string[] {
  const out = writer(kernel, ptr)
  const text = (value: string): void => {
    if (!out.tryText(value)) {
      throw contextError(
        'kernel.context',
        `context ${fields.id}: names are longer than ${CONTEXT_CELL_BYTES} bytes together`,
      )
    }
  }
  const value = (word: number, plain: string): void => {
    const from = out.position()
    text(quote(plain))
    out.pair(word, from, out.position() - from)
  }
  const member = (word: number, name: string, plain: string | undefined): void => {
    if (plain === undefined) return
    text(`,"${name}":`)
    value(word, plain)
  }
  const since = (word: number, from: number): void => out.pair(word, from, out.position() - from)
  const labels = Object.entries(fields.labels ?? {})
  out.word(CONTEXT_WORD.TRUST, fields.trust | TRUST.CLUSTER_ID | (labels.length > 0 ? TRUST.LABELS : 0))
  out.word(CONTEXT_WORD.ID, fields.id)
  out.word(CONTEXT_WORD.LOG_TYPE_NUMBER, LOG_TYPE_NUMBERS[fields.log_type])
  out.word(CONTEXT_WORD.LEVEL, fields.log_level)
  value(CONTEXT_WORD.SERVICE, fields.service_name)
  const blockA = out.position()
  member(CONTEXT_WORD.POD_UID, 'pod_uid', fields.pod_uid)
  member(CONTEXT_WORD.NAMESPACE, 'namespace', fields.namespace)
  member(CONTEXT_WORD.CLUSTER_ID, 'cluster_id', fields.cluster_id)
  since(CONTEXT_WORD.BLOCK_A, blockA)
  member(CONTEXT_WORD.LOG_TYPE, 'log_type', fields.log_type)
  const blockB = out.position()
  member(CONTEXT_WORD.POD_NAME, 'pod_name', fields.pod_name)
  member(CONTEXT_WORD.CONTAINER_NAME, 'container_name', fields.container_name)
  member(CONTEXT_WORD.NODE_NAME, 'node_name', fields.node_name)
  since(CONTEXT_WORD.BLOCK_B, blockB)
  since(CONTEXT_WORD.BLOCK_ALL, blockA)
  const labelsAt = out.position()
  const dropped: string[] = []
  for (const [key, label] of labels) {
    if (!out.tryText(`,${quote(`kubernetes.labels.${key}`)}:${quote(label)}`)) dropped.push(key)
  }
  since(CONTEXT_WORD.LABELS, labelsAt)
  return dropped
}

/** An arena of fixed cells (4 KiB each), allocated once. */
export function createContextArena(kernel: Kernel, options: { readonly contexts: number }): ContextArena {
  const base = kernel.alloc(options.contexts * CONTEXT_CELL_BYTES + 64, 64)
  const free: number[] = []
  const living = new Set<number>()
  for (let n = options.contexts - 1; n >= 0; n--) free.push(base + n * CONTEXT_CELL_BYTES)
  return {
    capacity: options.contexts,
    used: () => living.size,
    render(fields, reuse) {
      const ptr = reuse ?? free.pop()
      if (ptr === undefined) {
        throw contextError(
          'kernel.contexts',
          `all ${options.contexts} contexts are in use; release some or raise contexts`,
        )
      }
      try {
        const droppedLabels = renderInto(kernel, ptr, fields)
        living.add(ptr)
        return { ptr, droppedLabels }
      } catch (error) {
        if (reuse === undefined) free.push(ptr)
        throw error
      }
    },
    release(ptr) {
      if (living.delete(ptr)) free.push(ptr)
    },
  }
}
