/** Something that is on a roster: where it is there, or -1. Only the roster's own functions change it. */
export interface Listed {
  index: number
}

/**
 * Those who are there now, in no order: an array, in which the last takes the place of one that goes. A map or set that
 * is filled and emptied all the time is made anew all the time, and each dead one keeps all later ones, with what they
 * hold, until V8's old generation is collected.
 */
export type Roster<T extends Listed> = T[]

/** Puts somebody new on the roster. */
export function enlist<T extends Listed> (roster: Roster<T>, one: T): void {
  one.index = roster.length
  roster.push(one)
}

/** Takes somebody off the roster; returns whether it was there. */
export function strike<T extends Listed> (roster: Roster<T>, one: T): boolean {
  if (one.index < 0) return false
  const last = roster.pop()
  if (last !== undefined && last !== one) {
    roster[one.index] = last
    last.index = one.index
  }
  one.index = -1
  return true
}
