module auditcheck

go 1.21
