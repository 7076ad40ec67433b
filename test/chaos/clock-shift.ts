// Loaded into a node before its own code (NODE_OPTIONS --import): moves its wall clock by what a file says, so that the clock can jump.
import { readFileSync } from 'node:fs'

const LOOK_EVERY_MS = 100
const file = process.env['MILLRACE_CHAOS_CLOCK_FILE']

if (file !== undefined) {
  const now = Date.now.bind(Date)
  let shiftMs = 0
  const look = () => {
    try {
      shiftMs = Number(readFileSync(file, 'utf8')) || 0
    } catch {
      // Out of descriptors: the last known shift stays.
    }
  }
  look()
  setInterval(look, LOOK_EVERY_MS).unref()
  const shifted = () => now() + shiftMs
  globalThis.Date = new Proxy(Date, {
    construct: (target, args: unknown[], made) =>
      Reflect.construct(target, args.length === 0 ? [shifted()] : args, made) as object,
    get: (target, name, receiver) =>
      name === 'now' ? shifted : (Reflect.get(target, name, receiver) as unknown),
  })
}
