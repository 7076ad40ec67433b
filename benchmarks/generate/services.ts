// Names of services that generated records come from.
const NAMES = [
  'payment-api',
  'cart',
  'checkout',
  'search',
  'health-checker',
  'inventory',
  'auth',
  'shipping',
  'billing',
  'gateway',
] as const

/** Ten names, then the same with a number: `cart-1`. */
export function serviceName(number: number): string {
  const name = NAMES[number % NAMES.length] as string
  const round = Math.floor(number / NAMES.length)
  return round === 0 ? name : `${name}-${round}`
}
