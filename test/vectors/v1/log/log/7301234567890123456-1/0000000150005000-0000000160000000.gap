{
  "gapVersion": 1,
  "from": "0000000150005000",
  "to": "0000000160000000",
  "reason": "slot_lost",
  "message": "the replication slot was dropped",
  "noticedAt": "2026-11-24T20:00:00.000Z",
  "checksum": "fef05ffc4eb1a25570568e5a77e87275407f465f46bd5a7bc8dcdb7840307051"
}
