// The scanner's side of what hangs on a record's status and latency: field names, rates by status, windows by service.
import { type FieldNames, planFields } from './fields.js'
import type { Kernel } from './kernel.js'
import { clampRate } from './scanner-judge.js'
import { FLAG, RECORD_BYTES, STATUS_TABLES, STATUSES, WORD } from './table.js'

/** What the app records of a service slot have shown since the last look. */
export interface ServiceWindow {
  /** Records with a status of 500 or more whose level is below ERROR; with the ERROR and FATAL records they are the errors. */
  readonly statusErrors: number
  /** [bucket, count, bucket, count, …], ascending: what toPairs of protocol/sampling/sketch.ts gives. */
  readonly latency: readonly number[]
}

export interface RecordFields {
  readonly status: number | undefined
  readonly latencyMs: number | undefined
}

export interface FieldSide {
  /** Service slots are 0 … serviceSlots − 1. */
  readonly serviceSlots: number
  /**
   * Which members carry status and latency; empty lists cost nothing. Records that are scanned but not judged keep what was found in their
   * root members. Errors: `kernel.fields` (see planFields); then the names before stay.
   */
  setFields(fields: FieldNames): void
  /** The window that the stream's records count in; a stream that was not given one, or a slot that is none, counts in slot 0. */
  setService(stream: number, slot: number): void
  /** Writes status table 1 … 64: 1,000 rates by status (0 drop … 1 keep); NaN, or one that is missing, = the stream's rate. Errors: `kernel.status`. */
  setStatusRates(table: number, rates: ArrayLike<number>): void
  /** The table whose rates win over the stream's for records with a status; 0 = none, as for a new stream. Errors: `kernel.status`. */
  setStatusTable(stream: number, table: number): void
  /** Slots whose window is not empty, ascending. */
  touchedSlots(): number[]
  /** Reads a slot's window and empties it. Windows outlive reset(). */
  takeWindow(slot: number): ServiceWindow
  /** What judge found in the record. */
  fieldsOf(record: number): RecordFields
}

/** Services with a window of their own unless the scanner is told otherwise. */
export const SERVICE_SLOTS = 1024
const EMPTY: ServiceWindow = { statusErrors: 0, latency: [] }
/** f32 numbers of one table in kernel memory. */
const TABLE_FLOATS = 1024
/** u32 words of a slot: status errors, place in the list, lowest bucket, one after the highest, counts from here on. */
const SLOT = { ERRORS: 0, LOW: 2, HIGH: 3, COUNTS: 4 } as const

/** Kernel memory that windows of this many services take. */
export function windowsBytes(serviceSlots: number): number {
  return serviceSlots * 5636 + 64
}

function checkTable(table: number, least: number): void {
  if (Number.isInteger(table) && table >= least && table <= STATUS_TABLES) return
  const text = `status table ${table} is none of ${least} to ${STATUS_TABLES}; share tables between streams`
  throw Object.assign(new Error(text), { code: 'kernel.status' })
}

function setNames({ fn, u8 }: Kernel, fields: FieldNames): void {
  const plan = planFields(fields)
  fn.fieldsReset()
  const put = (bytes: Uint8Array): number => {
    u8.set(bytes, fn.fieldTextPtr())
    return bytes.length
  }
  const roots = plan.roots.every(({ bytes, spec }) => fn.fieldRoot(put(bytes), spec) !== 0)
  const nested = plan.nested.every((names, n) =>
    names.every(({ bytes, spec }) => fn.fieldNested(n + 1, put(bytes), spec) !== 0),
  )
  if (roots && nested) return
  // planFields' limits fit into the kernel's tables, so this is never reached.
  fn.fieldsReset()
  throw Object.assign(new Error('the kernel has no room for the field names'), { code: 'kernel.fields' })
}

function windowSide(
  { fn, u32, alloc }: Kernel,
  slots: number,
): Pick<FieldSide, 'touchedSlots' | 'takeWindow'> {
  const ptr = alloc(fn.windowsBytes(slots), 64)
  const slotWords = fn.windowSlotBytes() / 4
  fn.windowsBegin(ptr, slots)
  return {
    touchedSlots() {
      const first = fn.windowsTouchedPtr() / 4
      return Array.from(u32.subarray(first, first + fn.windowsTouched())).sort((a, b) => a - b)
    },
    takeWindow(slot) {
      if (!Number.isInteger(slot) || slot < 0 || slot >= slots) return EMPTY
      const at = ptr / 4 + slot * slotWords
      const statusErrors = u32[at + SLOT.ERRORS] ?? 0
      const high = u32[at + SLOT.HIGH] ?? 0
      const latency: number[] = []
      for (let bucket = u32[at + SLOT.LOW] ?? 0; bucket < high; bucket++) {
        const count = u32[at + SLOT.COUNTS + bucket] ?? 0
        if (count > 0) latency.push(bucket, count)
      }
      fn.windowClear(slot)
      return { statusErrors, latency }
    },
  }
}

export function createFieldSide(kernel: Kernel, tablePtr: number, slots: number): FieldSide {
  const { fn, u32, f32, view } = kernel
  const services = fn.servicesPtr() / 4
  const rates = fn.statusRatesPtr() / 4
  return {
    serviceSlots: slots,
    setFields: (fields) => setNames(kernel, fields),
    setService(stream, slot) {
      const known = Number.isInteger(slot) && slot > 0 && slot < slots ? slot : 0
      u32[services + stream] = ((u32[services + stream] ?? 0) & 0xffff0000) | known
    },
    setStatusRates(table, from) {
      checkTable(table, 1)
      const first = rates + table * TABLE_FLOATS
      for (let status = 0; status < STATUSES; status++)
        f32[first + status] = clampRate(from[status] ?? Number.NaN)
    },
    setStatusTable(stream, table) {
      checkTable(table, 0)
      u32[services + stream] = ((u32[services + stream] ?? 0) & 0xffff) | (table << 16)
    },
    ...windowSide(kernel, slots),
    fieldsOf(record) {
      const at = tablePtr + record * RECORD_BYTES
      const word = (n: number): number => u32[at / 4 + n] ?? 0
      const decided = FLAG.JSON | FLAG.JUDGED
      if ((word(WORD.FLAGS) & decided) !== decided) return { status: undefined, latencyMs: undefined }
      const status = word(WORD.STATUS)
      return {
        status: status === 0 ? undefined : status - 1,
        latencyMs: word(WORD.LATENCY) === 0 ? undefined : view.getFloat64(at + WORD.LATENCY_MS * 4, true),
      }
    },
  }
}
