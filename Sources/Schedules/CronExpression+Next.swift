// The times that an expression is due in a zone.
//
// Where clocks are set forward or back: a schedule of every hour (its hour field takes all of them) goes by
// time that passes, so it is due at each showing of its minutes and not in the gap. Any other goes by what
// the clock should show, once: a time that the clock skips is due when the gap ends, and one that it shows
// twice is due the first time.

extension CronExpression {
    /// The first due time after one, in seconds since 1970; nil: none within ten years (such as 30 February).
    package func next(after time: Int64, in zone: ZoneTable) -> Int64? {
        let today = (time + zone.offset(at: time)).flooredDivision(by: 86_400)
        // From the day before: the clock may just have been set back over midnight.
        for day in today - 1...today + 3_660 where matches(CivilDate(dayNumber: day)) {
            if let due = first(after: time, onDay: day, in: zone) { return due }
        }
        return nil
    }

    /// The last due time after `earlier` and not after `time`; nil: none.
    package func latest(until time: Int64, after earlier: Int64, in zone: ZoneTable) -> Int64? {
        // From a short time ago and ever further back: a schedule of every minute may have been missed for a year.
        var window: Int64 = 60
        while true {
            let start = max(earlier, time - window)
            var found: Int64?
            var from = start
            while let due = next(after: from, in: zone), due <= time {
                found = due
                from = due
            }
            if found != nil || start == earlier { return found }
            window *= 2
        }
    }

    private func first(after time: Int64, onDay day: Int64, in zone: ZoneTable) -> Int64? {
        var best: Int64?
        var hoursLeft = hours
        while hoursLeft != 0 {
            let hour = Int64(hoursLeft.trailingZeroBitCount)
            hoursLeft &= hoursLeft - 1
            var minutesLeft = minutes
            while minutesLeft != 0 {
                let minute = Int64(minutesLeft.trailingZeroBitCount)
                minutesLeft &= minutesLeft - 1
                let due = due(at: day * 86_400 + hour * 3_600 + minute * 60, after: time, in: zone)
                if let due, due < best ?? .max { best = due }
            }
        }
        return best
    }

    private func due(at local: Int64, after time: Int64, in zone: ZoneTable) -> Int64? {
        let due: Int64
        switch zone.reading(of: local) {
        case .once(let moment): due = moment
        case .twice(let first, let second): due = isOfEveryHour && first <= time ? second : first
        case .never(let gapEnd):
            guard !isOfEveryHour else { return nil }
            due = gapEnd
        }
        return due > time ? due : nil
    }
}
