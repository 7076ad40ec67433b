// How a message crosses a thread boundary: msgpack for its fields, transferred buffers for its bodies.
import { Packr } from 'msgpackr/pack'
import type { Message } from '../protocol/messages.js'

/** Byte fields of at least this many bytes travel as bodies; smaller ones inside the msgpack. */
const BODY_BYTES_MIN = 1024

export interface Envelope {
  readonly to: string
  readonly from: string
  readonly message: Message
}

/** What is posted: the packed envelope and its bodies. */
export interface Wire {
  readonly packed: Uint8Array
  readonly bodies: readonly Uint8Array[]
}

const packr = new Packr({ useRecords: false })

export function encodeWire(envelope: Envelope): { wire: Wire; transfer: ArrayBuffer[] } {
  const bodies: Uint8Array[] = []
  const fields: Record<string, unknown> = {}
  const places: [string, number][] = []
  for (const [key, value] of Object.entries(envelope.message)) {
    if (value instanceof Uint8Array && value.byteLength >= BODY_BYTES_MIN) {
      places.push([key, bodies.length])
      // A source reads its next slab into the same memory, so a slab is always copied.
      bodies.push(envelope.message.type === 'slab' ? new Uint8Array(value) : ownBuffer(value))
    } else {
      fields[key] = value
    }
  }
  // A copy: pack() returns a view of a pooled buffer, and posting a view clones all that is behind it.
  const packed = new Uint8Array(packr.pack([envelope.to, envelope.from, fields, places]))
  const transfer = [packed.buffer, ...bodies.map((body) => body.buffer as ArrayBuffer)]
  return { wire: { packed, bodies }, transfer }
}

export function decodeWire(wire: Wire): Envelope {
  const [to, from, fields, places] = packr.unpack(wire.packed) as [
    string,
    string,
    Record<string, unknown>,
    [string, number][],
  ]
  for (const [key, at] of places) fields[key] = wire.bodies[at]
  return { to, from, message: fields as unknown as Message }
}

/** The bytes in a buffer that nothing else uses: a transfer takes the whole buffer away from this thread. */
function ownBuffer(bytes: Uint8Array): Uint8Array {
  const whole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
  return whole ? bytes : new Uint8Array(bytes)
}
