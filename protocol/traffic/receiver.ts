// Follows senders of counts and keeps the sum over all of them up to date, change by change.
import {
  CHANGES,
  type CountsMessage,
  CLAIM,
  EVERYTHING,
  SERVICES_MAX,
  type ServiceCount,
  serviceKey,
} from './wire.js'

/** Sums by service, over any number of receivers; names are held once. */
export interface CountSum {
  /** The service's place; past SERVICES_MAX all share place 0, whose names are empty. */
  place(namespace: string, service: string): number
  add(place: number, change: number): void
  /** Services with a sum over 0, each with its key. */
  services(): IterableIterator<ServiceCount & { readonly key: string }>
  places(): number
}

export function createCountSum(): CountSum {
  const places = new Map<string, number>([[serviceKey('', ''), 0]])
  const names: { readonly namespace: string; readonly service: string; readonly key: string }[] = [
    { namespace: '', service: '', key: serviceKey('', '') },
  ]
  const sums: number[] = [0]
  return {
    place(namespace, service) {
      const key = serviceKey(namespace, service)
      const known = places.get(key)
      if (known !== undefined) return known
      if (names.length >= SERVICES_MAX) return 0
      places.set(key, names.length)
      sums.push(0)
      return names.push({ namespace, service, key }) - 1
    },
    add(place, change) {
      sums[place] = (sums[place] ?? 0) + change
    },
    *services() {
      for (const [place, { namespace, service, key }] of names.entries()) {
        const info = sums[place] as number
        if (info > 0) yield { namespace, service, key, info }
      }
    },
    places: () => names.length,
  }
}

export interface CountReceiver {
  /** False: a message was lost before this one; what is known is held until everything is said again. */
  hear(message: CountsMessage): boolean
  /** The sender is gone: takes all it said out of the sum. */
  forget(): void
}

/** One sender's counts; a new start of it begins with everything. */
export function createCountReceiver(sum: CountSum): CountReceiver {
  let from: number | undefined
  let last = 0
  /** By the sender's id: the service's place in the sum, and its count. */
  let places: (number | undefined)[] = []
  let counts: number[] = []

  function forget(): void {
    for (const [id, place] of places.entries()) if (place !== undefined) sum.add(place, -(counts[id] ?? 0))
    places = []
    counts = []
    from = undefined
  }

  function take({ names, counts: said }: CountsMessage): void {
    for (let at = 0; at < names.length; at += 3) {
      const [id, namespace, service] = names.slice(at, at + 3) as [number, string, string]
      const before = places[id]
      if (before !== undefined) sum.add(before, -(counts[id] ?? 0))
      places[id] = sum.place(namespace, service)
      counts[id] = 0
    }
    for (let at = 0; at < said.length; at += 2) {
      const [id, count] = [said[at] as number, said[at + 1] as number]
      const place = places[id]
      if (place === undefined) continue
      sum.add(place, count - (counts[id] ?? 0))
      counts[id] = count
    }
  }

  return {
    hear(message) {
      const { sender, seq, kind } = message
      if (kind === CLAIM) return true
      if (kind === EVERYTHING) {
        forget()
        from = sender
      } else if (kind !== CHANGES || sender !== from || seq !== last + 1) {
        from = undefined
        return false
      }
      last = seq
      take(message)
      return true
    },
    forget,
  }
}
