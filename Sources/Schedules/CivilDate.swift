/// A day of the Gregorian calendar, from its number (1970-01-01 is 0).
struct CivilDate {
    let month: Int
    let day: Int
    /// 0 is Sunday.
    let weekday: Int

    /// Counts in eras of 400 years that begin on the first of March, so that the leap day comes last.
    init(dayNumber: Int64) {
        let shifted = dayNumber + 719_468
        let dayOfEra = shifted - shifted.flooredDivision(by: 146_097) * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        // 1970-01-01 was a Thursday.
        weekday = Int((dayNumber + 4) - (dayNumber + 4).flooredDivision(by: 7) * 7)
    }
}

extension Int64 {
    func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
