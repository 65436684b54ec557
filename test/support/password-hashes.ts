import bcrypt from 'bcrypt'

/** A line of a password file, hashed as quickly as bcrypt can unless a cost is told. */
export function writePasswordLine (user: string, password: string, cost = 4): string {
  return `${user}:${bcrypt.hashSync(password, cost).replace('$2b$', '$2y$')}\n`
}

/** The value of `Proxy-Authorization` with which a client sends them. */
export function writeBasic (user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
